"""Add a product of two thin random matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.noise import Change, Stream, apply
from genewright.part import Part, grid

_UNIT = Change(combine="add", scale=1.0)


@dataclass(frozen=True, kw_only=True)
class AddLowRank(Function):
    """w + c A B^T, with c = scale / sqrt(rank), rounded to the computing type.

    A tensor of shape (n, ...) is a matrix of n rows and m columns, a convolution's kernel unfolded. The first n * rank
    draws of the stream are A, row by row, the next m * rank are B. Products and sums are rounded each by itself in the
    computing type, float64 for float64 and else float32: p = A[:, 0] B[:, 0], then p + A[:, 1] B[:, 1] and so on.

    Attributes:
        scale: Standard deviation of what is added; negative to subtract the same.
        rank: How many columns A and B have.
    """

    scale: float
    rank: int

    def __call__(self, values: Any, given: Given) -> Any:
        assert given.stream is not None
        left, right = self.factors(given)
        product = left[:, :1] * right[:, 0]
        for column in range(1, self.rank):
            product = product + left[:, column : column + 1] * right[:, column]
        added = (self.factor(product.dtype) * product).reshape(given.shape)[grid(given.part, given.shape)]
        with np.errstate(over="ignore", invalid="ignore"):  # what leaves the range becomes infinite
            return values + (values.new_tensor(added) if hasattr(values, "new_tensor") else added)

    def factors(self, given: Given) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return A and B in the computing type."""
        assert given.stream is not None
        rows, columns = matrix_shape(given.shape)
        drawn = np.zeros(self.rank * (rows + columns), "float64" if given.dtype == "float64" else "float32")
        draw_into(drawn, given.stream)
        return drawn[: self.rank * rows].reshape(rows, -1), drawn[self.rank * rows :].reshape(columns, -1)

    def factor(self, dtype: Any) -> Any:
        """Return c as a number of a dtype."""
        return np.dtype(dtype).type(self.scale / math.sqrt(self.rank))

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if not math.isfinite(self.scale):
            return f"a strength is finite, and {self.scale} is not"
        if len(shape) < 2 and not part:
            return "a vector has no matrix of low rank"
        return "" if self.rank >= 1 else f"a rank is at least 1, and {self.rank} is not"

    def words(self) -> str:
        return f"w + {self.scale:.6g} * normal A B^T of rank {self.rank}"


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns of the matrix that a tensor is.

    >>> matrix_shape((8, 3, 5, 5))
    (8, 75)
    """
    return shape[0], math.prod(shape[1:])


def draw_into(values: NDArray[Any], stream: Stream) -> None:
    """Fill zeros, of one dimension, with the numbers that A and B are made of."""
    apply(values, _UNIT, stream, dtype=str(values.dtype))
