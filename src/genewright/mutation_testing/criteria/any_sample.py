"""Killed by any sample: the classical criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict
from genewright.mutation_testing.trial import Original, Trial


@dataclass(frozen=True)
class AnySample(Criterion):
    """Killed where at least one sample is right in the original and wrong in the mutant.

    Without targets: where at least one prediction differs. It is monotone in the test set, and saturates: on a large
    one nearly every mutant that changes anything is killed. The effect is the share of such samples.

    References:
        DeMillo, Lipton and Sayward, "Hints on Test Data Selection: Help for the Practicing Programmer", Computer
        11(4), 1978.
    """

    name: ClassVar[str] = "any"

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        kills = trials[0].wrong & originals[0].right
        return Verdict(killed=bool(kills.any()), effect=float(kills.mean()))

    def smallest_drop(self, original: Original, alpha: float) -> float | None:
        return 1 / original.samples
