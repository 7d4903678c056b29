"""Fitness: what judges a network, with noise that all individuals of a generation share."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import math
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from genewright.calls import Answering
from genewright.errors import SettingError
from genewright.references import is_layer, said
from genewright.seeding import Noise


class Individuals(Protocol):
    """Individuals of one form, such as those of `gw.population`."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def predict(self, batch: Any) -> list[NDArray[Any]]:
        """Return the outputs of all for one batch, in evaluation mode, each with a first axis of individuals."""
        ...

    def predict_each(self, batches: Any) -> list[NDArray[Any]]:
        """Return the same, each individual's for a batch of its own: the batches have that axis, too."""
        ...

    @property
    def exact(self) -> bool:
        """Whether they compute in 32 bits or more, so that running together changes outputs by rounding alone."""
        ...

    def model(self, individual: int) -> Any:
        """Return one as a model of its own."""
        ...

    def models(self) -> Iterator[Any]:
        """Yield each as a model."""
        ...


class Fitness(ABC, metaclass=Answering):
    """Judges networks; more is better. Derive, and write `evaluate`; a plain function of a model does as well.

    Attributes:
        judges_outputs: `evaluate_all` judges many individuals by their outputs, which can be computed together.
        counts_decisions: It counts decisions such as classes, which the last digits of outputs do not turn.
    """

    judges_outputs: bool = False
    counts_decisions: bool = False

    @abstractmethod
    def evaluate(self, model: Any, noise: Noise) -> Any:
        """Return the fitness of a model: a number, a tuple of numbers, or a dict of numbers by name.

        Args:
            model: The model; it is the function's own.
            noise: What it draws from: the same for all individuals of a generation (common random numbers).
        """

    def evaluate_all(self, individuals: Individuals, noise: Noise) -> list[Any]:
        """Return the fitness of each of several individuals: of one model after the other, unless a class knows better.

        Args:
            individuals: They can be run together, or be had as models, each the function's own.
            noise: As in `evaluate`.
        """
        return [self.evaluate(model, noise) for model in individuals.models()]

    def signature(self) -> str:
        """Return what tells one fitness from another: a run is resumed with the same one only."""
        return _class_signature(self)

    def __call__(self, model: Any) -> Any:
        """Judge a model outside a run."""
        return self.evaluate(model, Noise(0, "", "fitness"))

    def __add__(self, other: Any) -> Sum:
        """Return the fitness that is the sum of both; `other` may be a function of a model."""
        return Sum((*_summands(self), *_summands(other)))

    def __radd__(self, other: Any) -> Sum:
        """Return the fitness that is the sum of both."""
        return Sum((*_summands(other), *_summands(self)))


@dataclasses.dataclass(frozen=True)
class Sum(Fitness):
    """The sum of several fitnesses, each one number: `+` between them makes it.

    Args:
        parts: The fitnesses, or functions of a model.

    Raises:
        SettingError: There is none; or one returns what is not one number.

    Example:
        >>> import torch, genewright as gw
        >>> small = gw.fitness.Penalty("size", weight=0.5) + (lambda model: 2.0)
        >>> small(torch.nn.Linear(3, 1))
        0.0
    """

    parts: tuple[Any, ...]

    def __post_init__(self) -> None:
        wrong = [part for part in self.parts if not isinstance(part, Fitness) and not callable(part)]
        if wrong or not self.parts:
            said = repr(wrong[0]) if wrong else "nothing"
            raise SettingError(f"Fitnesses and functions of a model can be added up; received {said}.")

    def evaluate(self, model: Any, noise: Noise) -> float:
        return self._sum([judged(part, model, noise) for part in self.parts])

    def evaluate_all(self, individuals: Individuals, noise: Noise) -> list[Any]:
        columns = [judged_all(part, individuals, noise) for part in self.parts]
        return [self._sum(list(values)) for values in zip(*columns, strict=True)]

    @property
    def judges_outputs(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether all parts judge outputs."""
        return all(isinstance(part, Fitness) and part.judges_outputs for part in self.parts)

    @property
    def counts_decisions(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether all parts count decisions."""
        return all(isinstance(part, Fitness) and part.counts_decisions for part in self.parts)

    def _sum(self, values: list[Any]) -> float:
        for value, part in zip(values, self.parts, strict=True):
            if isinstance(value, tuple | list | dict):
                raise SettingError(
                    f"One number each can be added up, and {signature_of(part)} returned {value!r}. Return them beside "
                    "each other instead: gw.fitness.Named(first=..., second=...)."
                )
        return math.fsum(float(value) for value in values)


def judged(fitness: Any, model: Any, noise: Noise) -> Any:
    """Return what a fitness, or a function of a model, says of a model."""
    return fitness.evaluate(model, noise) if isinstance(fitness, Fitness) else fitness(model)


def check_fitness(who: str, fitness: Any) -> None:
    """Refuse what judges no model.

    Raises:
        SettingError: It is a class, a loss or another layer, or nothing that could be called.
    """
    loss = "" if isinstance(fitness, type) or not is_layer(fitness) else " Of a loss, write Supervised(x, y, loss)."
    if isinstance(fitness, type) or loss or not (isinstance(fitness, Fitness) or callable(fitness)):
        raise SettingError(
            f"{who} is a function of a model, or one of gw.fitness such as gw.fitness.Supervised(x, y); received "
            f"{said(fitness)}.{loss}"
        )


def judged_all(fitness: Any, individuals: Individuals, noise: Noise) -> list[Any]:
    """Return what a fitness, or a function of a model, says of each individual."""
    if isinstance(fitness, Fitness):
        return fitness.evaluate_all(individuals, noise)
    return [fitness(model) for model in individuals.models()]


def _summands(fitness: Any) -> tuple[Any, ...]:
    return fitness.parts if isinstance(fitness, Sum) else (fitness,)


def signature_of(fitness: Any) -> str:
    """Return what tells one fitness from another: its name, and a digest of its source where that can be had.

    Example:
        >>> signature_of(len)
        'builtins.len'
    """
    if isinstance(fitness, Fitness):
        return fitness.signature()
    if isinstance(fitness, functools.partial):
        part = cast("functools.partial[Any]", fitness)
        settings = ", ".join([*map(_shown, part.args), *(f"{key}={_shown(v)}" for key, v in part.keywords.items())])
        return f"{signature_of(part.func)}({settings})"
    if inspect.isroutine(fitness):
        return _name(fitness)
    return _class_signature(fitness)


def _class_signature(made: Any) -> str:
    cls = cast("type[Any]", type(made))
    name = _name(cls)
    if not dataclasses.is_dataclass(made):
        return name
    settings = ", ".join(f"{f.name}={_shown(getattr(made, f.name))}" for f in dataclasses.fields(made) if f.repr)
    return f"{name}({settings})"


def _name(thing: Any) -> str:
    """Return a name; where a digest of the source stands beside it, without the module, which a script has two of."""
    digest = _digest(thing)
    return thing.__qualname__ + digest if digest else f"{thing.__module__}.{thing.__qualname__}"


def _digest(thing: Any) -> str:
    """Return a digest of the source, as long as a person needs to tell two apart."""
    if str(getattr(thing, "__module__", "")).startswith("genewright."):
        return ""  # settings say the rest, and a new release of ours must not end old runs
    try:
        source = textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        return ""  # typed at a prompt, or compiled
    return "#" + hashlib.sha256(source.encode()).hexdigest()[:12]


def _shown(value: Any) -> str:
    """Return a setting in words that are the same in every process: an address would differ."""
    if value is None or isinstance(value, bool | int | float | str):
        return repr(cast(object, value))
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, cast('list[Any]', value)))}]"
    if isinstance(value, Fitness) or callable(value):
        return signature_of(value)
    return type(value).__name__
