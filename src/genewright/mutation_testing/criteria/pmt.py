"""Probabilistic mutation testing, as its code has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict, needs_targets
from genewright.mutation_testing.criteria.deepcrime import DeepCrime, compared
from genewright.mutation_testing.trial import Original, Trial
from genewright.noise import uniform01
from genewright.seeding import Noise
from genewright.settings import check_integer


@dataclass(frozen=True)
class PMT(Criterion):
    """Estimate how probably DeepCrime's criterion kills a mutant, over draws of trainings.

    `bootstraps` times the trainings of both are drawn with replacement; of each, `draws` times `size` against `size`
    without replacement are compared, and the share k that is killed gives the posterior mean (k N + 1) / (N + 2) of a
    Beta(1, 1) prior. As in its authors' code, a comparison kills whichever way the scores differ, abs(d) >= 0.5. The
    effect is the mean of these over the bootstraps; its interval holds 95 % of them. A mutant counts as killed where
    the effect is above 1/2. Needs some hundred trainings to mean what it says.

    Args:
        size: Trainings a comparison, of originals and of mutants; at most half of them are drawn where there are fewer.
        draws: Comparisons a bootstrap.
        bootstraps: How many.

    References:
        Tambon, Khomh and Antoniol, "A Probabilistic Framework for Mutation Testing in Deep Neural Networks",
        arXiv:2301.05651.
    """

    name: ClassVar[str] = "pmt"
    unit: ClassVar = "trainings"
    adjusts: ClassVar[bool] = False

    size: int = 20
    draws: int = 100
    bootstraps: int = 100

    def __post_init__(self) -> None:
        check_integer(self, "size", self.size, low=2)
        check_integer(self, "draws", self.draws, low=1)
        check_integer(self, "bootstraps", self.bootstraps, low=1)

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        before = np.array([original.score for original in originals])
        return self.compare(before, np.array([trial.score for trial in trials], np.float64), alpha)

    def compare(self, before: NDArray[np.float64], after: NDArray[np.float64], alpha: float = 0.05) -> Verdict:
        """Return the probability that DeepCrime's criterion kills, given the scores of all trainings."""
        test = DeepCrime()
        size = min(self.size, max(2, len(before) // 2), max(2, len(after) // 2))
        means: list[float] = []
        for bootstrap in range(self.bootstraps):
            noise = Noise(0, f"/pmt/{bootstrap}")
            first = before[_drawn(noise.child("before"), len(before))]
            second = after[_drawn(noise.child("after"), len(after))]
            p, d = compared(
                first[_few(noise.child("first"), len(first), size, self.draws)],
                second[_few(noise.child("second"), len(second), size, self.draws)],
            )
            killed = int(((p < alpha) & (np.abs(d) >= test.least_effect)).sum())
            means.append((killed + 1) / (self.draws + 2))
        low, high = np.quantile(means, (0.025, 0.975))
        mean = float(np.mean(means))
        return Verdict(killed=mean > 0.5, effect=mean, interval=(float(low), float(high)))

    def check(self, originals: Sequence[Original]) -> None:
        super().check(originals)
        needs_targets(self, originals, "classes", "binary", "values")


def _drawn(noise: Noise, number: int) -> NDArray[np.int64]:
    return (np.asarray(uniform01(noise.stream(), np.arange(number))) * number).astype(np.int64)


def _few(noise: Noise, number: int, size: int, draws: int) -> NDArray[np.int64]:
    """Return, a row a draw, `size` different positions of `number`."""
    drawn = np.asarray(uniform01(noise.stream(), range(draws * number))).reshape(draws, number)
    return np.argsort(drawn, axis=1, kind="stable")[:, :size]
