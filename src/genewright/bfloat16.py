"""bfloat16 as 16-bit patterns, for NumPy has no such type."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_float32(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the values of bfloat16 bit patterns, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def from_float32(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round float32 values to bfloat16, to nearest, ties to even; NaN stays NaN (quiet).

    >>> int(from_float32(np.array([1.0], np.float32))[0]) == 0x3F80
    True
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    with np.errstate(over="ignore"):
        rounded = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
    nan = ((bits >> np.uint32(16)) | np.uint32(0x0040)).astype(np.uint16)
    return np.where(np.isnan(values), nan, rounded)


def from_float64(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Round float64 values to bfloat16, once.

    Rounding to float32 first would round twice. So the step to float32 rounds to odd: an inexact result gets an odd
    last bit, which keeps the second rounding right (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums:
    proved algorithms using rounding to odd", 2008).

    >>> int(from_float64(np.array([1 + 2**-8 + 2**-40]))[0]) == 0x3F81
    True
    """
    with np.errstate(over="ignore", invalid="ignore"):
        near = values.astype(np.float32)
        error = values - near
        even = (near.view(np.uint32) & np.uint32(1)) == 0
        inexact = even & (error != 0) & np.isfinite(values)
        odd = np.nextafter(near, np.where(error > 0, np.inf, -np.inf).astype(np.float32))
    return from_float32(np.where(inexact, odd, near))
