"""WeightedSum: the noise of many streams, each times a weight, added to a tensor that is read and written once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.change import Change, Rounding, check_rounding
from genewright.noise.key import Stream
from genewright.noise.masks import check_rate

CHUNK: Final = 1 << 16
"""Elements whose sum is held at once where masks or factors make it: it stays in the second cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightedSum:
    """Each element w becomes w + (-decay w + sum_i a_i z_i), rounded once, with z_i its draw from stream i.

    The sum is made in the computing type (float64 for float64, else float32), in order, each product and each sum
    rounded by itself; it begins at -0.0, so an element to which nothing is added stays as it is, -0.0 too. Elements
    that are NaN stay, as under `Change`.

    Args:
        terms: (stream, a_i), finite. Terms of weight 0 are left out.
        rate: The probability that an element has noise of a stream: each stream has a mask of its own.
        rank: None for noise of full rank; else z_i is A B^T / sqrt(rank), as `matrix` says.
        matrix: Rows and columns of the tensor as a matrix, where there is a rank. The first rows * rank draws of a
            stream are A, row by row, the next columns * rank are B; the sum goes over streams, and in each over its
            columns, of ((a_i / sqrt(rank)) A[r, k]) B[c, k].
        decay: What of w itself is subtracted.
        rounding: As in `Change`; the words are those of the stream that `apply` is given.

    Raises:
        SettingError: A setting is out of range, or does not go with the others.

    Example:
        >>> WeightedSum(terms=((Stream(key=1, tweak=2), 0.5),)).idle
        False
    """

    terms: tuple[tuple[Stream, float], ...]
    rate: float = 1.0
    rank: int | None = None
    matrix: tuple[int, int] = (0, 0)
    decay: float = 0.0
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        check_rounding(self.rounding)
        check_rate(self.rate)
        bad = [number for number in (self.decay, *(weight for _, weight in self.terms)) if not isfinite(number)]
        if bad:
            raise SettingError(f"weights and decay must be finite, got {bad[0]!r}")
        if self.rank is not None and (self.rank < 1 or self.rate < 1):
            raise SettingError(f"a rank is at least 1 and goes with rate=1, got rank={self.rank}, rate={self.rate}")

    @property
    def weighed(self) -> tuple[tuple[Stream, float], ...]:
        """The terms that add something."""
        return tuple(term for term in self.terms if term[1] != 0)

    @property
    def dense(self) -> bool:
        """Whether every element has noise of its own of every stream."""
        return self.rank is None and self.rate == 1

    @property
    def idle(self) -> bool:
        """Whether it cannot change a byte."""
        return not self.decay and (self.rate == 0 or not self.weighed)


def chunks(size: int, start: int) -> Iterator[tuple[int, int]]:
    """Yield stretches of [0, size) that end where blocks of the full tensor do."""
    edges = [0, *range(CHUNK - start % CHUNK, size, CHUNK), size]
    yield from (pair for pair in pairwise(edges) if pair[0] < pair[1])


def sparse_sum(change: WeightedSum, start: int, count: int, kind: np.dtype[Any], run: Any) -> NDArray[Any]:
    """Return the sum of masked noise for the elements [start, start + count); `run` is a backend's `apply`."""
    total = np.full(count, -0.0, kind)
    for stream, weight in change.weighed:
        run(total, Change(combine="add", scale=weight, rate=change.rate), stream, str(kind), start, None)
    return total


class LowRankSums:
    """The sums of products of thin matrices, stretch by stretch.

    Args:
        change: With a rank.
        kind: The computing type.
        run: A backend's `apply`, which draws the factors.
    """

    def __init__(self, change: WeightedSum, kind: np.dtype[Any], run: Any) -> None:
        rank, (rows, columns) = change.rank or 1, change.matrix
        terms = change.weighed
        self._left = np.empty((rows, len(terms) * rank), kind)
        self._right = np.empty((len(terms) * rank, columns), kind)
        for number, (stream, weight) in enumerate(terms):
            drawn = np.zeros(rank * (rows + columns), kind)
            run(drawn, Change(combine="add"), stream, str(kind), 0, None)
            mine = slice(number * rank, (number + 1) * rank)
            self._left[:, mine] = drawn[: rank * rows].reshape(rows, rank) * kind.type(weight / sqrt(rank))
            self._right[mine] = drawn[rank * rows :].reshape(columns, rank).T
        self._columns = columns

    def __call__(self, start: int, count: int) -> NDArray[Any]:
        """Return the sum for the elements [start, start + count)."""
        first, last = start // self._columns, -(-(start + count) // self._columns)
        left = np.ascontiguousarray(self._left[first:last].T)
        total = np.full((last - first, self._columns), -0.0, left.dtype)
        product = np.empty_like(total)
        for column, row in zip(left, self._right, strict=True):
            np.multiply(column[:, None], row, out=product)
            total += product
        begin = start - first * self._columns
        return total.reshape(-1)[begin : begin + count]
