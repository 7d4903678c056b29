"""The norm of what others multiply a unit by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genewright.errors import GenewrightError
from genewright.neurons.measures.incoming_norm import Known
from genewright.neurons.measures.squares import squares_along
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import Numbers, UnitLayer
from genewright.widths.knob import Knob


@dataclass(frozen=True, kw_only=True)
class OutgoingNorm(Measure):
    """The Euclidean norm of all weights that read a unit: columns of the kernels that take its width. It needs no data.

    NaN where the network's widths do not tell what reads the layer, and for a layer that nothing reads, as the last.

    References:
        Dohare et al., "Loss of Plasticity in Deep Continual Learning", Nature 632 (2024), for the part of outgoing
        weights in a unit's contribution.
    """

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge | None:
        try:
            knobs = around.network.structure.widths.knobs()
        except GenewrightError:
            return None
        found = [_read_squares(knob, around) for knob in knobs if _writes(knob, layer)]
        known = [squares for squares in found if squares is not None]
        return Known(np.sqrt(np.sum(known, axis=0))) if known else None


def _read_squares(knob: Knob, around: Surroundings) -> Numbers | None:
    """Return the sum of squares of all weights that read each unit of a width; None where none does."""
    key = "outgoing_norm", knob.name
    if key not in around.memo:
        squares = np.zeros(knob.size)
        readers = [place for place in knob.places if "reader" in place.roles]
        for place in readers:
            units = knob.units(place)
            along = squares_along(around, place.tensor, place.axis)
            np.add.at(squares, units[units >= 0], along[units >= 0])
        around.memo[key] = squares if readers else None
    found: Numbers | None = around.memo[key]
    return found


def _writes(knob: Knob, layer: UnitLayer) -> bool:
    """Whether the units of a layer are those of a knob, one by one."""
    return knob.size == layer.units and any(
        "reader" not in place.roles
        and place.layer in layer.rows
        and np.array_equal(knob.units(place), layer.rows[place.layer])
        for place in knob.places
    )
