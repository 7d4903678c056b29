"""The spread (standard deviation) of a tensor, and sums of products, with the same bits on every machine.

NumPy's own sum adds in an order that depends on the processor's vector width. Here the order is part of the
definition: blocks of 4,096 elements in row-major order, each added by halves, then the block sums by halves;
only IEEE additions, products and one square root in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4096
_CHUNK = 256 * _BLOCK  # elements held in float64 at a time: 8 MB


def spread(values: NDArray[np.generic]) -> float:
    """Return the population standard deviation, sqrt(mean((x - mean(x))^2)), as a float64.

    Args:
        values: Numbers, any shape; the order is row-major. Complex ones count as their real and imaginary parts.

    Returns:
        The spread; 0.0 for an empty tensor; NaN or infinity where the values hold one.

    >>> spread(np.array([1.0, 3.0]))
    1.0
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    if flat.size == 0:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _sum(flat, 0.0, square=False) / flat.size
        variance = _sum(flat, mean, square=True) / flat.size
    return math.sqrt(variance) if variance >= 0 else math.nan


def dot(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """Return the sum of first * second, added in the same order, as a float64.

    Complex numbers count as their real and imaginary parts, so that it is the cosine's product for them too.

    >>> dot(np.array([1.0, 3.0]), np.array([2.0, 1.0]))
    5.0
    """
    if first.size == 0:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        return _sum(_reals(first) * _reals(second), 0.0, square=False)


def _reals(values: NDArray[np.generic]) -> NDArray[np.float64]:
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.astype(np.complex128).view(np.float64) if flat.dtype.kind == "c" else flat.astype(np.float64)


def _sum(flat: NDArray[np.generic], shift: float, *, square: bool) -> float:
    blocks: list[NDArray[np.float64]] = []
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK].astype(np.float64)
        if square:
            part -= shift
            part *= part
        padded = np.zeros(-(-part.size // _BLOCK) * _BLOCK)
        padded[: part.size] = part
        blocks.append(_halve(padded.reshape(-1, _BLOCK)))
    sums = np.concatenate(blocks)
    padded = np.zeros(1 << (sums.size - 1).bit_length())
    padded[: sums.size] = sums
    return float(_halve(padded.reshape(1, -1))[0])


def _halve(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add each row's second half to its first until one column is left; the width is a power of two."""
    while rows.shape[1] > 1:
        half = rows.shape[1] // 2
        rows = rows[:, :half] + rows[:, half:]
    return rows[:, 0]
