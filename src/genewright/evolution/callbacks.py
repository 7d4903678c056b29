"""Callbacks: who is told of each generation, once its individuals are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genewright.calls import Answering
from genewright.errors import SettingError
from genewright.evolution.individual import Individual


@dataclass(frozen=True, kw_only=True)
class Report:
    """Where a run stands after a generation.

    Attributes:
        generation: Its number, from 1 on.
        individuals: Its individuals, in order.
        best: The champion so far, None while no individual has a fitness.
        evaluations: Individuals so far, the base included.
        seconds: Seconds since the run was started, or resumed.
        evaluated: How many of the evaluations were made in these seconds.
        share: How much of the run is behind, from 0 to 1, as far as its limits say it.
        odds: The probability of each mutation, by name.
    """

    generation: int
    individuals: Sequence[Individual]
    best: Individual | None
    evaluations: int
    seconds: float
    evaluated: int
    share: float
    odds: Mapping[str, float]

    @property
    def median(self) -> float | None:
        """The median fitness of the generation, the lower of two; None where no individual has one."""
        found = sorted(one.objective for one in self.individuals if one.objective is not None)
        return found[(len(found) - 1) // 2] if found else None

    @property
    def failed(self) -> int:
        """How many of the generation have no fitness."""
        return sum(one.fitness is None for one in self.individuals)

    @property
    def rate(self) -> float:
        """Evaluations a second."""
        return self.evaluated / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the run ends if it goes on as it did; None where its limits do not say it."""
        return self.seconds * (1 - self.share) / self.share if self.share else None


class Callback(metaclass=Answering):
    """Is told of a run; derive, and override what you need. A function of a `Report` will do, too."""

    def started(self, about: Mapping[str, Any]) -> None:
        """Take in what the run is: settings and signatures."""

    def told(self, report: Report) -> bool | None:
        """Take in a generation, whose individuals are kept; True ends the run."""

    def ended(self, reason: str) -> None:
        """Take in why the run ended: the limit's name, "callback", or the name of an error."""


class _Function(Callback):
    def __init__(self, function: Callable[[Report], Any]) -> None:
        self._function = function

    def told(self, report: Report) -> bool | None:
        answer = self._function(report)
        return answer is True or answer is np.True_


def as_callbacks(given: Any) -> list[Callback]:
    """Return callbacks of what a user gave.

    Raises:
        SettingError: Something is neither a `Callback` nor a function.
    """
    entries: list[Any] = list(given) if isinstance(given, Iterable) else [given]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    for entry in entries:
        if isinstance(entry, type) or not (isinstance(entry, Callback) or callable(entry)):
            raise SettingError(
                f"callbacks= are functions of a gw.Report, or gw.Callback objects; received {entry!r}. "
                "Write callbacks=[lambda report: print(report.best)]."
            )
    return [entry if isinstance(entry, Callback) else _Function(entry) for entry in entries]
