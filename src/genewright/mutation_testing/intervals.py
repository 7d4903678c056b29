"""Intervals of shares, the correction for many tests, and what a score is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genewright.calls import answered
from genewright.mutation_testing.criteria.criterion import statistics


@dataclass(frozen=True)
class Score:
    """A share with its denominator.

    Attributes:
        killed: How many mutants were killed.
        of: Of how many that could be: those killed and those that survived.
        low: Lower bound of Wilson's interval.
        high: Its upper bound.
    """

    killed: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """Killed / of; None of none."""
        return self.killed / self.of if self.of else None

    def __str__(self) -> str:
        if not self.of:
            return "0 of 0"
        return f"{self.killed} of {self.of} ({self.killed / self.of:.1%}, {self.low:.1%} to {self.high:.1%})"


def score_of(killed: int, of: int, confidence: float = 0.95) -> Score:
    """Return a share with Wilson's interval.

    >>> str(score_of(28, 60))
    '28 of 60 (46.7%, 34.6% to 59.1%)'
    """
    return Score(killed, of, *wilson(killed, of, confidence))


@answered(who="gw.testing.wilson")
def wilson(successes: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share (JASA 22, 1927); (0, 1) of none."""
    return _interval(successes, of, confidence, "wilson")


@answered(who="gw.testing.clopper_pearson")
def clopper_pearson(successes: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson, Biometrika 26, 1934); (0, 1) of none.

    >>> clopper_pearson(0, 10)[0]
    0.0
    """
    return _interval(successes, of, confidence, "exact")


def _interval(successes: int, of: int, confidence: float, method: str) -> tuple[float, float]:
    if not of:
        return 0.0, 1.0
    found = statistics().binomtest(successes, of).proportion_ci(confidence, method=method)
    return float(found.low), float(found.high)


@answered(who="gw.testing.benjamini_hochberg")
def benjamini_hochberg(p: Sequence[float]) -> NDArray[np.float64]:
    """Return p-values adjusted so that those under a level hold the false discovery rate at it (JRSS B 57, 1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    if not len(p):
        return np.zeros(0)
    return np.asarray(statistics().false_discovery_control(np.asarray(p, np.float64), method="bh"), np.float64)
