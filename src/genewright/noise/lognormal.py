"""The log-normal factor exp(scale * z), in integers: the same bits on every machine.

With the normal's code n (28 fractional bits), `y = -+ n * K >> shift` is the binary logarithm of the factor
with 32 fractional bits, where K is 31 bits of `scale / ln 2`. Its whole part is a power of two; the
fraction g picks one of 64 parabolas for 2**-g. The factor is clamped to [2**-121, 2**120], and 28 bits of
it are right. A scale of 0 gives exactly 1.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.distributions import MAGNITUDE, SIGN, encode
from genewright.noise.key import Stream
from genewright.noise.philox import LOW, U32, U64
from genewright.noise.quantile import magnitude
from genewright.noise.tables import table
from genewright.noise.words import Index, Purpose, words

INVERSE_LN2: Final = Fraction(0xB8AA3B295C17F0BBBE87FED0691D3E88, 1 << 127)
"""1 / ln 2 to 128 bits."""

LARGEST_SCALE: Final = 2.0**24
LIMIT: Final = 120


@lru_cache(maxsize=256)
def multiplier(scale: float) -> tuple[int, int]:
    """Return (K, shift) with `n * K >> shift` = n * 2**-28 * scale / ln 2 * 2**32, K below 2**31.

    Args:
        scale: The standard deviation of the factor's logarithm, finite and at least 0. Above 2**24 it
            counts as 2**24.

    Returns:
        K in [2**30, 2**31] (0 for a scale of 0, or one too small to move any factor), and a shift in [0,
        63].
    """
    exact = Fraction(min(float(scale), LARGEST_SCALE)) * INVERSE_LN2
    if exact < Fraction(1, 1 << 60):
        return 0, 0
    binary_exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    if exact < Fraction(2) ** binary_exponent:
        binary_exponent -= 1
    shift = 26 - binary_exponent
    if shift > 63:
        return 0, 0
    return round(exact * Fraction(2) ** (30 - binary_exponent)), shift


def factor(stream: Stream, scale: float, index: Index, dtype: str = "float32") -> NDArray[np.floating]:
    """Draw one log-normal factor exp(scale * z) per index, z from the stream's standard normal.

    Args:
        stream: From `derive`.
        scale: The standard deviation of the factor's logarithm.
        index: A range or an integer array, in any order.
        dtype: "float32" or "float64".

    Returns:
        Positive factors, of the index's shape.

    Raises:
        SettingError: If the scale is negative or not finite, or the dtype unknown.

    Example:
        >>> factor(Stream(key=1, tweak=2), 0.0, range(3)).tolist()
        [1.0, 1.0, 1.0]
    """
    if not 0 <= scale < float("inf"):
        raise SettingError(f"a factor's scale must be finite and at least 0, got {scale!r}")
    if dtype not in ("float32", "float64"):
        raise SettingError(f"factor returns float32 or float64, got dtype={dtype!r}")
    codes = encode(words(stream, Purpose.NOISE, index), "normal")
    mantissa, exponent = factor_parts(codes, *multiplier(scale))
    return power(mantissa, exponent, np.dtype(dtype))


def factor_parts(code: U32, mantissa: int, shift: int) -> tuple[U64, NDArray[np.int64]]:
    """Return (h, e) of each normal code: the factor is h * 2**(e - 28), with h in (2**27, 2**28]."""
    product = ((code & MAGNITUDE).astype(np.uint64) * np.uint64(mantissa) >> np.uint64(shift)).astype(np.int64)
    falling = np.where(code & SIGN, product, -product)  # minus the binary logarithm
    falling = np.clip(falling, -(LIMIT << 32), ((LIMIT + 1) << 32) - 1)
    fraction = falling.astype(np.uint64) & LOW
    offset = (fraction << np.uint64(6)) & LOW
    return magnitude(table("exp2")[fraction >> np.uint64(26)], offset), -(falling >> np.int64(32))


def power(mantissa: U64, exponent: NDArray[np.int64], dtype: np.dtype[np.floating]) -> NDArray[np.floating]:
    """Return h * 2**(e - 28), rounded once (the power of two is exact: the factor is never subnormal)."""
    return np.ldexp(mantissa.astype(dtype), (exponent - 28).astype(np.int32)).astype(dtype)
