"""The norm of what a unit multiplies its inputs by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genewright.neurons.measures.squares import squares_along
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import Numbers, UnitLayer


@dataclass(frozen=True, kw_only=True)
class IncomingNorm(Measure):
    """The Euclidean norm of a unit's own weights.

    These are its rows of kernels, its gain of a norm, an embedding's row, all kernels of an expert; no biases. It needs
    no data.

    References:
        Li, Kadav, Durdanovic, Samet, Graf, "Pruning Filters for Efficient ConvNets", arXiv:1608.08710, section 3.1 (for
        the sum of absolute values).
    """

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge | None:
        squares = np.zeros(layer.units)
        found = False
        for name, tensor in around.network.tensors.items():
            axis = 0 if tensor.role == "embedding" else tensor.unit_axis
            whole = layer.kind in ("embedding", "experts") and tensor.layer == layer.name
            of_expert = whole and layer.kind == "experts" and len(tensor.shape) > 2
            known = tensor.role in ("kernel", "recurrent_kernel", "norm_weight", "embedding") or of_expert
            if not known or axis is None:
                continue
            if layer.kind == "heads" and axis == 2 and len(tensor.shape) == 3:
                axis = 1  # Keras's projections: (inputs, heads, size)
            owners = (tensor.layer, *(alias.rpartition(".")[0] for alias in tensor.aliases))  # a head tied to rows
            tied = (layer.rows[owner] for owner in owners if owner in layer.rows)
            rows = np.arange(layer.units) if whole else next(tied, None)
            if rows is None or len(rows) != tensor.shape[axis]:
                continue
            along = squares_along(around, name, axis)
            np.add.at(squares, rows[rows >= 0], along[rows >= 0])
            found = True
        return Known(np.sqrt(squares)) if found else None


class Known(Gauge):
    """A value that needs no data."""

    def __init__(self, value: Numbers) -> None:
        self._value = value

    def value(self) -> Numbers:
        return self._value
