"""The places that an elementwise operator can hit, numbered through all tensors that it chooses."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from genewright.part import Part, part_shape
from genewright.tensor import COMPLEX, Tensor

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """The places in one tensor.

    Attributes:
        tensor: The tensor.
        part: Which of its elements may be hit.
        ways: In how many ways each can be, such as its bits.
    """

    tensor: Tensor
    part: Part
    ways: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor's numbers: a complex element has two."""
        return (*self.tensor.shape, 2) if self.tensor.dtype in COMPLEX else self.tensor.shape

    @functools.cached_property
    def size(self) -> int:
        """How many places there are."""
        return prod(part_shape(self.part, self.shape)) * self.ways

    def elements(self, hits: Positions) -> Positions:
        """Return for places in this stretch the element in the tensor, in row-major order."""
        positions = hits // self.ways
        if not self.part:
            return positions
        inside = np.unravel_index(positions, part_shape(self.part, self.shape))
        whole = (*self.part, *(None,) * (len(self.shape) - len(self.part)))
        axes = [at if chosen is None else chosen.array[at] for at, chosen in zip(inside, whole, strict=True)]
        return np.ravel_multi_index(tuple(axes), self.shape).astype(np.int64)


class Places:
    """All places, tensor by tensor, in the order of the tensors' names: networks list them as they do.

    Args:
        stretches: Those of each tensor.
    """

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self.stretches = sorted(stretches, key=lambda each: each.tensor.name)
        self._starts = [0, *itertools.accumulate(each.size for each in self.stretches)]

    @property
    def size(self) -> int:
        """How many there are in all."""
        return self._starts[-1]

    def split(self, hits: Positions) -> Iterator[tuple[Stretch, Positions]]:
        """Yield each stretch that is hit, with its hits counted from its own beginning.

        Args:
            hits: Numbers of places, ascending.
        """
        edges = hits.searchsorted(self._starts).tolist()
        for at, stretch in enumerate(self.stretches):
            first, last = edges[at : at + 2]
            if first < last:
                yield stretch, hits[first:last] - self._starts[at]
