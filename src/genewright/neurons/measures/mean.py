"""The mean of a unit's values."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Mean(Measure):
    """The mean of the values over samples and positions, in the unit of the activations.

    References:
        Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", arXiv:1611.06440,
        section 2.2 (mean activation).
    """

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: chunk.sums())
