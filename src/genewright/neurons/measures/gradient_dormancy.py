"""GraMa: dormancy of gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from genewright.neurons.measures.totals import Total, over_the_mean
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class GradientDormancy(Measure):
    """E|dL/dh_i| / (mean over the layer's units k of E|dL/dh_k|), at least 0, 1 on average: low cannot learn.

    `Dormancy` with the gradient of a sample's loss by the unit's value in the place of the value; the expectation is
    over samples and positions. 0 for every unit of a layer that no gradient reaches.

    References:
        Liu, Wu, Obando-Ceron, Castro, Courville, Pan, "Measure Gradients, not Activations! Enhancing Neuronal Activity
        in Deep Reinforcement Learning", arXiv:2505.24061 (GraMa).
    """

    reads: ClassVar[frozenset[str]] = frozenset({"gradients"})
    dense: ClassVar[bool] = True

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: chunk.slopes().sum(axis=0), over_the_mean)
