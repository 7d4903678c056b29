"""A measure as a user would write it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import genewright as gw


@dataclass(frozen=True, kw_only=True)
class HighestValue(gw.neurons.Measure):
    """The largest value of a unit."""

    def start(self, layer: gw.neurons.UnitLayer, around: gw.neurons.Surroundings) -> gw.neurons.Gauge:
        return _HighestValue(layer.units)


class _HighestValue(gw.neurons.Gauge):
    def __init__(self, units: int) -> None:
        self._peak = np.full(units, -np.inf)

    def add(self, chunk: gw.neurons.Chunk) -> None:
        self._peak = np.maximum(self._peak, chunk.highest())

    def value(self) -> np.ndarray:
        return self._peak
