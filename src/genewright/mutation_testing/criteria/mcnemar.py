"""The exact test of McNemar: does one model make more errors than the other on the same samples?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict, needs_targets, statistics
from genewright.mutation_testing.trial import Original, Trial


@dataclass(frozen=True)
class McNemar(Criterion):
    """Killed where the mutant makes more errors than the original than chance explains, one-sided and exact.

    With b samples right in the original and wrong in the mutant, and c the other way round,
    p = P(X >= b), X ~ Binomial(b + c, 1/2). Samples that both have right, or both wrong, do not matter. 5 against 0 is
    the least that kills at a level of 0.05. The effect is (b - c) / n, the loss of accuracy.

    References:
        McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
        Psychometrika 12, 1947; Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification
        Learning Algorithms", Neural Computation 10(7), 1998.
    """

    name: ClassVar[str] = "mcnemar"

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        right, wrong = originals[0].right, trials[0].wrong
        broken, mended = int((right & wrong).sum()), int((~right & ~wrong).sum())
        p = float(statistics().binom.sf(broken - 1, broken + mended, 0.5)) if broken else 1.0
        return Verdict(killed=True, p=p, effect=(broken - mended) / len(right))

    def check(self, originals: Sequence[Original]) -> None:
        super().check(originals)
        needs_targets(self, originals, "classes", "binary")

    def smallest_drop(self, original: Original, alpha: float) -> float | None:
        return math.ceil(-math.log2(alpha)) / original.samples
