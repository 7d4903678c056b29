"""Killed by a loss of accuracy of so many points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict, needs_targets, statistics
from genewright.mutation_testing.trial import Original, Trial
from genewright.settings import check_nonnegative


@dataclass(frozen=True)
class Drop(Criterion):
    """Killed where the mean score falls by more than `points` percentage points, beyond chance.

    One-sided paired t-test of the samples' scores: t = (d - points / 100) / (s / sqrt(n)), d the mean loss of score a
    sample and s its standard deviation. The score of a sample is the share of its positions that are right; of targets
    that are values, minus its mean squared error, so that `points` / 100 is in units of that error. The effect is d,
    its interval has confidence 1 - 2 alpha.

    Args:
        points: Loss that does not yet count, in percentage points.

    References:
        Student, "The Probable Error of a Mean", Biometrika 6, 1908.
    """

    name: ClassVar[str] = "drop"

    points: float = 0.0

    def __post_init__(self) -> None:
        check_nonnegative(self, "points", self.points)

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        trial, number = trials[0], originals[0].samples
        loss, error = -trial.difference, trial.spread / number**0.5
        if not np.isfinite(loss) or number < 2:
            return Verdict(killed=bool(loss > self.points / 100), effect=loss)
        excess = loss - self.points / 100
        if error == 0:
            return Verdict(killed=True, p=0.0 if excess > 0 else 1.0, effect=loss, interval=(loss, loss))
        law = statistics().t(number - 1)
        width = float(law.ppf(1 - alpha)) * error
        return Verdict(killed=True, p=float(law.sf(excess / error)), effect=loss, interval=(loss - width, loss + width))

    def check(self, originals: Sequence[Original]) -> None:
        super().check(originals)
        needs_targets(self, originals, "classes", "binary", "values")
