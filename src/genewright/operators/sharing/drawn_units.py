"""A share of a layer's units, drawn once for all of its tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genewright.errors import SelectionError
from genewright.network import Network
from genewright.noise import uniform01
from genewright.seeding import Noise
from genewright.tensor import Tensor
from genewright.units import Units, units_of


def drawn_positions(tensor: Tensor, axis: int | None, network: Network, noise: Noise, rate: float) -> Sequence[int]:
    """Return the positions of the drawn units along an axis of a tensor; of one without units 0, or nothing.

    Args:
        tensor: The tensor.
        axis: The axis along which its layer's units lie, if any.
        network: The network that holds it.
        noise: Draws by the layer's name, so that a unit is drawn with all that belongs to it.
        rate: With which probability each unit is drawn.
    """
    try:
        held = units_of(tensor, network)
    except SelectionError:  # heads in a file, which does not say how many: then each of their rows
        held = None
    if held is None or held.axis != axis:
        held = Units(axis=axis or 0, count=1 if axis is None else tensor.shape[axis], layers=())
    drawn = uniform01(noise.stream(tensor.layer), range(held.count)) < rate
    return held.positions(np.flatnonzero(drawn).tolist())
