"""DeepCrime's criterion, as its code has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict, needs_targets, statistics
from genewright.mutation_testing.trial import Original, Trial

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class DeepCrime(Criterion):
    """Killed where a linear model of the scores on the group has p < 0.05, and Cohen's d >= 0.5.

    For comparison with the literature. n originals against n mutants, unpaired: z = (m1 - m2) / sqrt(2 s^2 / n), s^2
    the pooled variance (n - 1); p is two-sided and normal, as statsmodels' GLM has it, rounded to three decimals, as
    its summary prints it; d = (m1 - m2) / s (of errors, where targets are values, with the opposite sign: <= -0.5). The
    level is `alpha`; no correction for the number of mutants is made. At n = 20 it tells an original from an original
    in 5.9 % of cases, two-sided; `paired` sees far more at the same rate.

    References:
        Humbatova, Jahangirova and Tonella, "DeepCrime: Mutation Testing of Deep Learning Systems Based on Real
        Faults", ISSTA 2021; Jahangirova and Tonella, "An Empirical Evaluation of Mutation Operators for Deep Learning
        Systems", ICST 2020.
    """

    name: ClassVar[str] = "deepcrime"
    unit: ClassVar = "trainings"
    adjusts: ClassVar[bool] = False

    least_effect: float = 0.5

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        before = np.array([original.score for original in originals])
        return self.compare(before, np.array([trial.score for trial in trials], np.float64))

    def compare(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> Verdict:
        """Return what it says of the scores of originals and of mutants, which need not correspond.

        >>> DeepCrime().compare(np.array([0.98, 0.97, 0.99]), np.array([0.5, 0.6, 0.55])).p
        0.0
        """
        p, d = compared(before[None], after[None])
        return Verdict(killed=bool(d[0] >= self.least_effect), p=float(p[0]), effect=float(d[0]))

    def check(self, originals: Sequence[Original]) -> None:
        super().check(originals)
        needs_targets(self, originals, "classes", "binary", "values")


def compared(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p and Cohen's d of many comparisons at once: rows of scores of originals, and of mutants.

    Where all scores of a row are one number on each side, d is infinite and p 0, or both say that nothing differs.
    """
    n, m = before.shape[1], after.shape[1]
    difference = before.mean(axis=1) - after.mean(axis=1)
    pooled = ((n - 1) * before.var(axis=1, ddof=1) + (m - 1) * after.var(axis=1, ddof=1)) / (n + m - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = difference / np.sqrt(pooled * (1 / n + 1 / m))
        d = difference / np.sqrt(pooled)
    nothing = (pooled == 0) & (difference == 0)
    p = np.round(2 * np.asarray(statistics().norm.sf(np.abs(z)), np.float64), 3)
    return np.where(nothing, 1.0, p), np.where(nothing, 0.0, d)
