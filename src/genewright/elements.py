"""Stored elements as numbers, and numbers as stored elements, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright import bfloat16


def decoded(stored: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return the numbers that stored elements are: the half types as float32, which holds them exactly.

    Args:
        stored: Elements as a store gives them; bfloat16 as uint16 bit patterns.
        dtype: The tensor's dtype.

    >>> decoded(np.array([0x3F80], np.uint16), "bfloat16").tolist()
    [1.0]
    """
    if dtype == "bfloat16":
        return bfloat16.to_float32(stored)
    return stored.astype(np.float32) if dtype == "float16" else stored


def encoded(numbers: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return numbers as stored elements of a dtype, rounded once, to nearest, ties to even.

    >>> encoded(np.array([0.1]), "float16").dtype
    dtype('float16')
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a signalling NaN becomes a quiet one
        if dtype == "bfloat16":
            return bfloat16.from_float64(numbers.astype(np.float64))
        return numbers.astype(np.dtype(dtype))


def rounded(numbers: Any, dtype: str) -> Any:
    """Return numbers as `dtype` holds them, in the type that they are computed in; NumPy's arrays, or torch's.

    >>> float(rounded(np.array([0.1], np.float32), "bfloat16")[0])
    0.10009765625
    """
    if dtype not in ("float16", "bfloat16"):
        return numbers
    if hasattr(numbers, "new_tensor"):
        half = numbers.half() if dtype == "float16" else numbers.bfloat16()
        return half.float()
    return decoded(encoded(numbers, dtype), dtype)
