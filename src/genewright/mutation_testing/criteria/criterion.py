"""Criterion: a frozen set of settings that says when a mutant counts as killed; and the registry of all."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from genewright.calls import Answering
from genewright.errors import SettingError, UnknownNameError
from genewright.extras import required
from genewright.mutation_testing.trial import Original, Trial
from genewright.names import did_you_mean
from genewright.settings import setting_to_json

_registry: dict[str, type[Criterion]] = {}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a criterion says of one mutant.

    Attributes:
        killed: Whether it counts as killed; with a `p`, whether all but the test's level is met.
        p: p-value of a test; None where there is none.
        effect: Effect size, in the criterion's unit.
        interval: Bounds of the effect.
    """

    killed: bool
    p: float | None = None
    effect: float | None = None
    interval: tuple[float, float] | None = None


class Criterion(ABC, metaclass=Answering):
    """When a mutant counts as killed. Derive, decorate with a frozen dataclass, give a `name`, write `judge`.

    Attributes:
        name: What it is called in `criterion=`.
        unit: What it counts: the samples of one model, or the trainings of several.
        adjusts: Its p-values are corrected for the number of mutants; the papers' own criteria are not.
    """

    name: ClassVar[str] = ""
    unit: ClassVar[Literal["samples", "trainings"]] = "samples"
    adjusts: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            _registry[cls.name] = cls

    @abstractmethod
    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        """Return what it says of one mutant that ran.

        Args:
            trials: What the mutant did on each model; of one where `unit` is "samples".
            originals: What the original does, of each model.
            alpha: Level of the test.
        """

    def smallest_drop(self, original: Original, alpha: float) -> float | None:
        """Return the least loss of accuracy that can kill on this data, in [0, 1]; None where that has no meaning."""
        return None

    def check(self, originals: Sequence[Original]) -> None:
        """Refuse data or models that it cannot judge.

        Raises:
            SettingError: With what to write instead.
        """
        several = len(originals) > 1
        if self.unit == "samples" and several:
            raise SettingError(
                f"criterion={self.name!r} judges one model by its samples; received {len(originals)} models. Give one, "
                "or write criterion='paired'."
            )
        if self.unit == "trainings" and not several:
            raise SettingError(
                f"criterion={self.name!r} compares trainings, and needs several models of one architecture: "
                "[m1, m2, ...]; received one. Give more, or write criterion='mcnemar'."
            )

    def to_json(self) -> dict[str, Any]:
        """Return its name and its settings."""
        return {"name": self.name, **{key: setting_to_json(value) for key, value in vars(self).items()}}


def statistics() -> Any:
    """Return scipy.stats, which every test comes from."""
    return required("scipy.stats", extra="testing", what="A score of mutants")


def needs_targets(criterion: Criterion, originals: Sequence[Original], *kinds: str) -> None:
    """Refuse data without the targets that a criterion needs.

    Raises:
        SettingError: It has others.
    """
    for original in originals:
        if original.targets not in kinds:
            has = "no targets" if original.targets == "none" else f"targets that are {original.targets}"
            raise SettingError(
                f"criterion={criterion.name!r} needs targets that are {' or '.join(kinds)}; the data has {has}. Give "
                "(X, y), or write criterion='output' (or 'any', for predictions that differ)."
            )


def check_level(name: str, alpha: float) -> None:
    """Refuse a level that is not between 0 and 1.

    Raises:
        SettingError: It is none.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"{name}: expected a number between 0 and 1; received {alpha!r}.")


def criteria() -> dict[str, type[Criterion]]:
    """Return all criteria by name."""
    return dict(sorted(_registry.items()))


def as_criterion(value: str | Criterion | None, models: int) -> Criterion:
    """Return a criterion for a name, a criterion, or None, which is "mcnemar" for one model and "paired" for several.

    Raises:
        UnknownNameError: There is none of this name.
        SettingError: It is neither.
    """
    if value is None:
        value = "mcnemar" if models == 1 else "paired"
    if isinstance(value, Criterion):
        return value
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"criterion: expected a name ({', '.join(criteria())}) or a criterion; received {value!r}.")
    if value not in _registry:
        raise UnknownNameError(f"No criterion is called {value!r}. {did_you_mean(value, criteria())}")
    return _registry[value]()


def criterion_from_json(form: dict[str, Any]) -> Criterion:
    """Read what `Criterion.to_json` wrote.

    Raises:
        UnknownNameError: There is none of this name.
    """
    settings = dict(form)
    name = str(settings.pop("name"))
    if name not in _registry:
        raise UnknownNameError(f"No criterion is called {name!r}. {did_you_mean(name, criteria())}")
    known = inspect.signature(_registry[name]).parameters
    return _registry[name](**{key: value for key, value in settings.items() if key in known})
