"""Weights times the norms of what they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import Chunk, Numbers, UnitLayer


@dataclass(frozen=True, kw_only=True)
class Wanda(Measure):
    """sum_j |W_ij| ||X_j||_2 over a unit's weights: the paper's score of weights, summed for the unit they make.

    ||X_j|| is over all samples and positions of the data, in the unit of the activations, so it grows with the data.
    For a convolution ||X_j|| is that of input channel j, for every place of the window.

    References:
        Sun, Liu, Bair, Kolter, "A Simple and Effective Pruning Approach for Large Language Models", arXiv:2306.11695,
        equation 1.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"inputs"})

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge | None:
        kernels = [
            tensor
            for tensor in around.network.tensors.values()
            if layer.name in (tensor.layer, *(name.rpartition(".")[0] for name in tensor.aliases))
            and tensor.role in ("kernel", "embedding")
            and len(tensor.shape) > 1
        ]
        if len(kernels) != 1 or layer.kind not in ("linear", "convolution"):
            return None
        tensor = kernels[0]
        axis = tensor.unit_axis if tensor.role == "kernel" else 0  # an embedding's rows, where a head is tied to it
        if axis is None or tensor.shape[axis] != layer.units:
            return None
        other = 1 - axis if tensor.input_axis is None else tensor.input_axis
        weights: Numbers = np.abs(around.network.read(tensor.name).astype(np.float64))
        two_first: Numbers = np.moveaxis(weights, (axis, other), (0, 1))
        return _Wanda(two_first.sum(axis=tuple(range(2, weights.ndim))))


class _Wanda(Gauge):
    def __init__(self, weights: Numbers) -> None:
        self._weights = weights
        self._squares: Numbers | None = None

    def add_inputs(self, chunk: Chunk) -> None:
        squares = chunk.squares()
        self._squares = squares if self._squares is None else self._squares + squares

    def value(self) -> Numbers:
        units, taken = (int(size) for size in self._weights.shape)
        if self._squares is None:
            return np.full(units, np.nan)
        groups, left = divmod(len(self._squares), taken)
        if left or units % max(1, groups):
            return np.full(units, np.nan)
        # of a convolution in groups, each group has channels of its own
        norms = np.sqrt(self._squares).reshape(groups, taken)
        scores: Numbers = self._weights.reshape(groups, units // groups, taken) * norms[:, None, :]
        return scores.sum(axis=2).reshape(units)
