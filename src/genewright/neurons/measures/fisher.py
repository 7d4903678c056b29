"""Fisher information of a gate on a unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Fisher(Measure):
    """1/2 E_n (sum_m a_nm dL_n/da_nm)^2, in the squared unit of the loss: its increase without the unit, estimated.

    The sum over a sample's positions stands inside the square, as in the paper. It is meant for a loss that is a
    negative log-likelihood, as cross-entropy is.

    References:
        Theis, Korshunova, Tejani, Huszar, "Faster Gaze Prediction with Dense Networks and Fisher Pruning",
        arXiv:1801.05787, equations 5 and 6.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"gradients"})
    by_sample: ClassVar[bool] = True
    dense: ClassVar[bool] = True

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: 0.5 * np.square(chunk.products()).sum(axis=0), a_sample=True)
