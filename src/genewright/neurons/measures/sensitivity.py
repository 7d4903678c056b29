"""Sensitivity of the loss to a gate on a unit, without second derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Sensitivity(Measure):
    """|dL/dc| / (sum over the layer's units of it): c multiplies the unit's output and is 1, L is the mean loss.

    dL/dc = E_n sum_m a_nm dL_n/da_nm. Unlike `Taylor`, the sign of each sample counts: gains and losses cancel. In
    [0, 1]; all of a layer sum to 1, or are 0.

    References:
        Mozer, Smolensky, "Skeletonization", NIPS 1988 (the gate); Lee, Ajanthan, Torr, "SNIP", arXiv:1810.02340,
        equation 6 (absolute value and scaling, there for single weights over the whole network).
    """

    reads: ClassVar[frozenset[str]] = frozenset({"gradients"})
    dense: ClassVar[bool] = True

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: chunk.products().sum(axis=0), _share, a_sample=True)


def _share(gates: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    sizes = np.abs(gates)
    total = sizes.sum()
    return sizes / total if total != 0 else sizes
