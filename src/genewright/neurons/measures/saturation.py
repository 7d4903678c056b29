"""How far a unit's values lie towards the bounds of its activation function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "relu6": (0.0, 6.0),
    "softsign": (-1.0, 1.0),
}
"""Activation functions with two bounds."""


@dataclass(frozen=True, kw_only=True)
class Saturation(Measure):
    """E|2 (h - low) / (high - low) - 1| with the bounds of the activation function, in [0, 1].

    1: always at a bound; 0.5: evenly spread between them; 0: always in the middle. NaN behind functions that do not
    have two bounds. It is the paper's measure for any even number of bins, where its bins drop out of the sum.

    References:
        Rakitianskaia, Engelbrecht, "Measuring Saturation in Neural Networks", IEEE SSCI 2015.
    """

    spare: ClassVar[Literal["low", "high", ""]] = ""

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge | None:
        if layer.activation not in BOUNDS:
            return None
        low, high = BOUNDS[layer.activation]
        centre, half = (low + high) / 2, (high - low) / 2
        return Total(layer.units, lambda chunk: chunk.distances(centre) / half)
