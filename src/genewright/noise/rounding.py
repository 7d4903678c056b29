"""Half precision by integers: bfloat16 and float16 patterns to float32 (exact), and back with one rounding.

Nearest is IEEE: ties to even, overflow to infinity. Stochastic goes up in magnitude with a probability
equal to the part that is cut off, so that its mean is the unrounded value; use it where a change is small
against the spacing of the weights (in bfloat16, nearest drops most changes below 1/256 of a weight). It
never overflows where nearest does not: a stochastic result of infinity is replaced by the nearest one.
"""

import numpy as np
from numpy.typing import NDArray

from genewright.noise.philox import U32

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]


def widen(pattern: U16, dtype: str) -> F32:
    """Return the float32 of each bfloat16 or float16 pattern."""
    if dtype == "float16":
        return pattern.view(np.float16).astype(np.float32)
    return (pattern.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(values: F32, dtype: str, word: U32 | None = None) -> U16:
    """Round each float32 to a bfloat16 or float16 pattern.

    Args:
        values: float32, no NaN among them (`reference` keeps NaN apart).
        dtype: "bfloat16" or "float16".
        word: None for nearest; 32 random bits per value for stochastic rounding.

    Returns:
        uint16 patterns.
    """
    bits = values.view(np.uint32)
    to_nearest = _round(bits, dtype, None)
    if word is None:
        return to_nearest
    infinity = np.uint16(0x7C00 if dtype == "float16" else 0x7F80)
    stochastic = _round(bits, dtype, word)
    return np.where(stochastic & np.uint16(0x7FFF) >= infinity, to_nearest, stochastic)


def _round(bits: U32, dtype: str, word: U32 | None) -> U16:
    """Cut the low bits of each float32 pattern after adding a half of them (to even), or that many random bits."""
    size = bits & np.uint32(0x7FFFFFFF)
    sign = (bits >> np.uint32(16)).astype(np.uint16) & np.uint16(0x8000)
    if dtype == "bfloat16":
        kept = _cut(size.astype(np.uint64), np.uint64(16), word)
        return sign | kept.astype(np.uint16)
    # float16: below 2**-14 the spacing stays 2**-24, so the whole significand is cut further
    exponent = (size >> np.uint32(23)).astype(np.int64)
    subnormal = exponent < 113
    significand = ((size & np.uint32(0x7FFFFF)) | np.uint32(0x800000)).astype(np.uint64)
    significand = np.where(exponent == 0, np.uint64(0), significand)  # float32 subnormals are below all spacing
    significand >>= np.clip(94 - exponent, 0, 31).astype(np.uint64)  # what 32 random bits cannot resolve
    shift = np.where(subnormal, np.minimum(126 - exponent, 32), 13).astype(np.uint64)
    rebased = np.where(subnormal, significand, np.maximum(size.astype(np.int64) - (112 << 23), 0).astype(np.uint64))
    kept = np.minimum(_cut(rebased, shift, word), np.uint64(0x7C00))
    return sign | kept.astype(np.uint16)


def _cut(size: NDArray[np.uint64], shift: NDArray[np.uint64] | np.uint64, word: U32 | None) -> NDArray[np.uint64]:
    one = np.uint64(1)
    if word is None:
        return (size + (one << shift - one) - one + (size >> shift & one)) >> shift
    return (size + (word.astype(np.uint64) & (one << shift) - one)) >> shift
