"""ReDo's dormancy score."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.neurons.measures.totals import Total, over_the_mean
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Dormancy(Measure):
    """E|h_i| / (mean over the layer's units k of E|h_k|), at least 0, 1 on average: low is dormant.

    A unit is tau-dormant where the score is at most tau (the paper uses 0, 0.025 and 0.1). The expectation is over
    samples and positions. 0 for every unit of a layer that is all zero.

    References:
        Sokar, Agarwal, Castro, Evci, "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
        arXiv:2302.12902, equation 1.
    """

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: chunk.distances(), over_the_mean)
