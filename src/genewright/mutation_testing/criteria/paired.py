"""Several originals, each beside its own mutant: the paired test."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict, needs_targets, statistics
from genewright.mutation_testing.trial import Original, Trial

EXACT = 12  # models; 2^12 sign patterns


@dataclass(frozen=True)
class Paired(Criterion):
    """Killed where the scores of n models fall more than chance explains, each beside its own mutant, one-sided.

    With d_i the score of original i minus that of its mutant: up to 12 models, the exact permutation test that flips
    the signs of the d_i, p the share of the 2^n patterns whose sum is at least the observed one; beyond, the
    signed-rank test of Wilcoxon. n originals reach p = 2^-n at best: 5 for a level of 0.05. Mutants made after training
    are paired by nature, which tells far more of them than the unpaired tests in use. The effect is the mean of the
    d_i, with its t-interval of confidence 1 - 2 alpha.

    References:
        Fisher, "The Design of Experiments", 1935, section 21; Wilcoxon, "Individual Comparisons by Ranking Methods",
        Biometrics Bulletin 1(6), 1945.
    """

    name: ClassVar[str] = "paired"
    unit: ClassVar = "trainings"

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        before = np.array([original.score for original in originals])
        after = np.array([trial.score for trial in trials], np.float64)
        return self.compare(before, after, alpha)

    def compare(self, before: NDArray[np.float64], after: NDArray[np.float64], alpha: float) -> Verdict:
        """Return what it says of scores that correspond one by one.

        Args:
            before: Scores of the originals.
            after: Scores of their mutants.
            alpha: Level of the test.

        >>> verdict = Paired().compare(np.full(5, 0.9), np.array([0.8, 0.7, 0.85, 0.88, 0.6]), 0.05)
        >>> verdict.p
        0.03125
        """
        losses = np.asarray(before, np.float64) - np.asarray(after, np.float64)
        number, mean = len(losses), float(losses.mean())
        width = float(statistics().t(number - 1).ppf(1 - alpha)) * float(losses.std(ddof=1)) / number**0.5
        p = permutation_p(losses) if number <= EXACT else signed_rank_p(losses)
        return Verdict(killed=True, p=p, effect=mean, interval=(mean - width, mean + width))

    def check(self, originals: Sequence[Original]) -> None:
        super().check(originals)
        needs_targets(self, originals, "classes", "binary", "values")


def permutation_p(losses: NDArray[np.float64]) -> float:
    """Return the share of sign patterns under which the losses sum to at least what they do."""
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(losses))))
    sums = signs @ np.abs(losses)
    return float((sums >= losses.sum() - 1e-12 * np.abs(losses).sum()).mean())


def signed_rank_p(losses: NDArray[np.float64]) -> float:
    """Return the one-sided p-value of the signed-rank test; 1 where no loss differs from zero."""
    if not losses.any():
        return 1.0
    return float(statistics().wilcoxon(losses, alternative="greater", zero_method="wilcox").pvalue)
