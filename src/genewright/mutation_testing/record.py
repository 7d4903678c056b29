"""Record: what of a mutant is kept: what made it, and what it did on each model. One line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from genewright.errors import RecipeError
from genewright.mutation_testing.bench import Tried
from genewright.mutation_testing.flipped_bits import Flip
from genewright.mutation_testing.trial import Trial
from genewright.operator import AnyOperator, Operator, operator_from_json
from genewright.settings import setting_to_json


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One mutant, as a store and a report hold it; no criterion has judged it.

    Attributes:
        number: Its number.
        operator: Its operator's registered name.
        label: The operator with the settings that are not its defaults.
        site: Where it acts, in words.
        layer: The layer, or None.
        steps: Its recipe's steps on the first model.
        trials: What it did, on each model.
        flips: Which bits of the first model's weights it flipped, by number format and position, each once; only asked
            of operators that act on bits.
    """

    number: int
    operator: str
    label: str
    site: str
    layer: str | None
    steps: tuple[Mapping[str, Any], ...]
    trials: tuple[Trial, ...]
    flips: tuple[Flip, ...] = ()

    @classmethod
    def of(cls, label: str, tried: list[Tried]) -> Record:
        """Return the record of one mutant on all models."""
        mutant = tried[0].mutant
        return cls(
            number=mutant.number,
            operator=mutant.operator.name,
            label=label,
            site=str(mutant.site),
            layer=mutant.site.layer,
            steps=tried[0].steps,
            trials=tuple(one.trial for one in tried),
            flips=tried[0].flips,
        )

    def to_json(self) -> str:
        """Return it as one line."""
        form: dict[str, Any] = {
            "number": self.number,
            "operator": self.operator,
            "label": self.label,
            "site": self.site,
            "layer": self.layer,
            "steps": list(self.steps),
            "trials": [trial.to_json() for trial in self.trials],
        }
        if self.flips:
            form["flips"] = [list(flip) for flip in self.flips]
        return json.dumps(form, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged.
        """
        try:
            form = cast("dict[str, Any]", json.loads(text))
            return cls(
                number=int(form["number"]),
                operator=str(form["operator"]),
                label=str(form["label"]),
                site=str(form["site"]),
                layer=form["layer"],
                steps=tuple(form["steps"]),
                trials=tuple(Trial.from_json(trial) for trial in form["trials"]),
                flips=tuple((str(dtype), int(bit)) for dtype, bit in form.get("flips", ())),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RecipeError(f"A row of the report is damaged: {error!r}.") from None


def label_of(operator: AnyOperator) -> str:
    """Return an operator with the settings that are not its defaults, without where it acts.

    >>> import genewright as gw
    >>> label_of(gw.GaussianNoise(std=0.5))
    'GaussianNoise(std=0.5)'
    """
    kind = type(operator)
    try:
        usual = kind().settings()
    except Exception:  # an operator of somebody else's without defaults
        usual = {}
    places = ("where", "layer", "block", "after") if isinstance(operator, Operator) else ("where",)
    told = [
        f"{name}={_said(getattr(operator, name))}"
        for name, value in operator.settings().items()
        if name not in places and usual.get(name) != value
    ]
    return f"{kind.__name__}({', '.join(told)})"


def _said(value: Any) -> str:
    form = setting_to_json(value)
    if isinstance(form, dict) and "operator" in form:
        return label_of(operator_from_json(form))
    if isinstance(form, list) and form and isinstance(form[0], dict) and "operator" in form[0]:
        return f"({', '.join(label_of(operator_from_json(one)) for one in cast('list[Any]', form))})"
    return repr(value)
