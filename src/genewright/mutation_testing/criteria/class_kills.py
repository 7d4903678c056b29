"""DeepMutation's criterion: classes that are killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.mutation_testing.criteria.criterion import Criterion, Verdict, needs_targets
from genewright.mutation_testing.trial import Original, Trial


@dataclass(frozen=True)
class ClassKills(Criterion):
    """Count the classes of which at least one sample is right in the original and wrong in the mutant.

    A mutant counts as killed where one class is. The effect is |killed classes| / |classes|; its mean over mutants is
    DeepMutation's mutation score (`report.mean_effect()`), which grows with the number of samples a class.

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section III.D.
    """

    name: ClassVar[str] = "class"

    def judge(self, trials: Sequence[Trial], originals: Sequence[Original], alpha: float) -> Verdict:
        classes = originals[0].classes
        assert classes is not None  # `check` has seen them
        killed = len(np.unique(classes[trials[0].wrong & originals[0].right]))
        return Verdict(killed=killed > 0, effect=killed / len(np.unique(classes)))

    def check(self, originals: Sequence[Original]) -> None:
        super().check(originals)
        needs_targets(self, originals, "classes")
        if originals[0].classes is None:
            needs_targets(self, [], "classes")
