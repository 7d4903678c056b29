"""Average percentage of zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Apoz(Measure):
    """The share of values that are exactly zero: sum over samples k and positions j of f(O_j(k) = 0) / (N M).

    In [0, 1]; every position counts, as in the paper. Meant for what has been through a ReLU; 1 is a dead unit.

    References:
        Hu, Peng, Tai, Tang, "Network Trimming: A Data-Driven Neuron Pruning Approach towards Efficient Deep
        Architectures", arXiv:1607.03250, equation 1.
    """

    spare: ClassVar[Literal["low", "high", ""]] = "high"

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: chunk.equal(0.0))
