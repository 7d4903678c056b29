"""The distance between two arrays of numbers, added up part by part in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Distance:
    """How far arrays b are from arrays a, over all pairs that were added.

    A number that is the same NaN or infinity in both counts as unchanged. One that is not finite in only one of them,
    or is another infinity, makes `largest` infinite, and is left out of the mean.

    Attributes:
        largest: max |a - b|.
        nonfinite: How many of a are NaN or infinite.
        new_nonfinite: How many of b are NaN or infinite where a is finite.

    >>> distance = Distance()
    >>> distance.add(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> distance.largest, distance.mean(), distance.relative()
    (2.0, 1.0, 0.5)
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self.nonfinite = 0
        self.new_nonfinite = 0
        self._sum = 0.0
        self._count = 0
        self._scale = 0.0

    def add(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Take in two arrays of one shape."""
        a, b = _wide(first), _wide(second)
        in_first, in_second = np.isfinite(a), np.isfinite(b)
        both = in_first & in_second
        with np.errstate(over="ignore"):
            distance = np.abs(a[both] - b[both])
            size = np.abs(a[in_first])
        if (~both & (a != b) & ~(np.isnan(a) & np.isnan(b))).any():
            self.largest = math.inf
        self.largest = max(self.largest, float(distance.max(initial=0.0)))
        self._scale = max(self._scale, float(size.max(initial=0.0)))
        self._sum += float(distance.sum())
        self._count += distance.size
        self.nonfinite += int((~in_first).sum())
        self.new_nonfinite += int((in_first & ~in_second).sum())

    def mean(self) -> float:
        """Return mean |a - b| over what is finite in both; NaN where nothing is."""
        return self._sum / self._count if self._count else math.nan

    def relative(self) -> float:
        """Return max |a - b| / max |a|; 0 where nothing changed, infinite where every finite a is 0."""
        if self.largest == 0:
            return 0.0
        return self.largest / self._scale if self._scale else math.inf


class Decades:
    """How many changes there are of each size, by powers of ten.

    >>> decades = Decades()
    >>> decades.add(np.array([1.0, 4.0, 8.0]), np.array([1.0, 4.02, 8.05]))
    >>> decades.counts()
    {-2: 2}
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Take in two arrays of one shape; what is not finite in both is left out, and so is what did not change."""
        with np.errstate(invalid="ignore", over="ignore"):
            distance = np.abs(_wide(first) - _wide(second))
        moved = distance[np.isfinite(distance) & (distance > 0)]
        powers, counts = np.unique(np.floor(np.log10(moved)).astype(np.int64), return_counts=True)
        for power, count in zip(powers.tolist(), counts.tolist(), strict=True):
            self._counts[power] = self._counts.get(power, 0) + count

    def counts(self) -> dict[int, int]:
        """Return by k how many changes are at least 10^k and less than 10^(k + 1), the smallest first."""
        return dict(sorted(self._counts.items()))


def json_number(value: float) -> float | str:
    """Return what strict JSON can hold; both Python's float() and JavaScript's Number() read the strings.

    >>> json_number(0.5), json_number(math.inf)
    (0.5, 'Infinity')
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _wide(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)
