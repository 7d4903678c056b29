"""Killed by outputs that move: for regression, language models, and data without targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict
from genewright.mutation_testing.trial import Original, Trial
from genewright.settings import check_nonnegative


@dataclass(frozen=True)
class OutputChange(Criterion):
    """Killed where an output of at least one sample moves by more than `tolerance`.

    That is max |a - b| > tolerance * max |a|, a the original's outputs for the batch and b the mutant's. The effect is
    the largest such move on all data.

    Args:
        tolerance: Relative to the largest output of the batch; 1e-6 is rounding of float32.
    """

    name: ClassVar[str] = "output"

    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        check_nonnegative(self, "tolerance", self.tolerance)

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        return Verdict(killed=bool(trials[0].moved.any()), effect=trials[0].largest_change)
