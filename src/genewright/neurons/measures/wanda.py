"""Weights times the norms of what they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

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
        return _Wanda(lambda: around.network.read(tensor.name), axis, other, layer.units)


class _Wanda(Gauge):
    def __init__(self, weights: Callable[[], NDArray[Any]], axis: int, other: int, units: int) -> None:
        self._weights, self._axis, self._other, self._units = weights, axis, other, units
        self._squares: Numbers | None = None

    def add_inputs(self, chunk: Chunk) -> None:
        squares = chunk.squares()
        self._squares = squares if self._squares is None else self._squares + squares

    def value(self) -> Numbers:
        none = np.full(self._units, np.nan)
        if self._squares is None:
            return none
        sizes = np.moveaxis(np.abs(self._weights()), (self._axis, self._other), (0, 1))
        if sizes.dtype.itemsize < 4:
            sizes = sizes.astype(np.float64)
        window = tuple(range(2, sizes.ndim))
        sizes = sizes.sum(axis=window, dtype=np.float64) if window else sizes
        taken = sizes.shape[1]
        groups, left = divmod(len(self._squares), taken)
        if left or self._units % max(1, groups):
            return none
        # of a convolution in groups, each group has channels of its own
        by_group = sizes.reshape(groups, self._units // groups, taken)
        norms = np.sqrt(self._squares).reshape(groups, taken)
        scores: Numbers = np.einsum("gui,gi->gu", by_group, norms, dtype=np.float64)
        return scores.reshape(self._units)
