"""The variance of a unit's values."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.neurons.measures.totals import Moments
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Variance(Measure):
    """The mean squared distance from the mean over samples and positions, in the squared unit of the activations.

    Exactly 0 for a unit that is constant.

    References:
        Molchanov et al., arXiv:1611.06440, section 2.2 (its square root: the standard deviation of activations).
    """

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Moments(layer.units)
