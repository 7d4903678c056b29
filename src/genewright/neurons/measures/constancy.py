"""How constant a unit is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from genewright.neurons.measures.totals import Moments
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import Numbers, UnitLayer


@dataclass(frozen=True, kw_only=True)
class Constancy(Measure):
    """|mean| / sqrt(mean^2 + variance): the cosine between a unit's values and a constant, in [0, 1].

    Exactly 1 if and only if all values seen are one number, zero included: such a unit can be folded into a bias.

    References:
        Castellano, Fanelli, Pelillo, "An Iterative Pruning Algorithm for Feedforward Neural Networks", IEEE
        Transactions on Neural Networks 8 (1997), for the removal of units that are constant.
    """

    spare: ClassVar[Literal["low", "high", ""]] = "high"

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return _Constancy(layer.units)


class _Constancy(Moments):
    def value(self) -> Numbers:
        variance = self.variance()
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine = np.abs(self.mean) / np.sqrt(self.mean**2 + variance)
        below = np.minimum(cosine, np.nextafter(1.0, 0.0))
        return np.where(self.lowest == self.highest, 1.0, below)
