"""How often a unit is active."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class ActiveFraction(Measure):
    """The share of values above a threshold: P(h > threshold), in [0, 1].

    Every position counts: a pixel of a feature map, a token, a time step. 0 is a dead unit of a ReLU.

    Args:
        threshold: What a value has to be larger than, in the unit of the activations.

    References:
        With threshold 0 behind a ReLU it is 1 - APoZ: Hu et al., "Network Trimming", arXiv:1607.03250.
    """

    threshold: float = 0.0

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: chunk.above(self.threshold))
