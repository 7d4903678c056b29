"""In how many directions a layer's units respond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from genewright.errors import SettingError
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.neurons.reservoir import Reservoir
from genewright.observation import Chunk, Numbers, UnitLayer


@dataclass(frozen=True, kw_only=True)
class EffectiveRank(Measure):
    """exp(-sum_k p_k ln p_k) with p = singular values / their sum, of the layer's values (places x units), from 1 on.

    One number a layer, the same for all of its units; at most the smaller of `places` and the number of units. A place
    is a sample and a position of it; they are drawn by the seed where there are more. 0 for a layer that is all zero.

    Args:
        places: How many places are kept, at most.

    References:
        Roy, Vetterli, "The Effective Rank: A Measure of Effective Dimensionality", EUSIPCO 2007, definition 1.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"seed"})
    dense: ClassVar[bool] = True
    spare: ClassVar[Literal["low", "high", ""]] = ""

    places: int = 1024

    def __post_init__(self) -> None:
        if self.places < 1:
            raise SettingError(f"EffectiveRank: places is at least 1; received {self.places}.")

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return _EffectiveRank(self, layer, around)


class _EffectiveRank(Gauge):
    def __init__(self, measure: EffectiveRank, layer: UnitLayer, around: Surroundings) -> None:
        self._units = layer.units
        self._kept = Reservoir(measure.places, around.noise.stream(layer.name))

    def add(self, chunk: Chunk) -> None:
        self._kept.add(chunk)

    def value(self) -> Numbers:
        rows = self._kept.rows()
        if rows is None or not np.isfinite(rows).all():
            return np.full(self._units, np.nan)
        singular = np.linalg.svd(rows, compute_uv=False)
        total = singular.sum()
        shares = singular[singular > 0] / total if total > 0 else np.zeros(0)
        rank = np.exp(-(shares * np.log(shares)).sum()) if total > 0 else 0.0
        return np.full(self._units, rank)
