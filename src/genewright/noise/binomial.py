"""Exact binomial thresholds: how many elements of a block a mask of a given rate hits.

The number of hits in a block of 4,096 elements is a quantile of 64 random bits U: `k = #{j : T[j] <= U}`
with `T[j] = round(2**64 * P(hits <= j))`. The rate is the exact rational that the float stands for, and the
sums are integers with 192 bits below those that are kept, so the thresholds depend on no floating-point
library.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np

from genewright.noise.philox import U64

BLOCK: Final = 4096
GUARD: Final = 192


@lru_cache(maxsize=256)
def thresholds(rate: float) -> tuple[int, U64]:
    """Return (first, T) for a rate in (0, 1/2]: T[0] is the threshold of `first` hits; those below it are 0.

    A higher rate has, at every j, a threshold that is not higher: the counts of one U never fall as the
    rate grows.

    Args:
        rate: The probability that one element is hit.

    Returns:
        The number of leading thresholds that are 0, and the others as a sorted, read-only uint64 array.
        Thresholds that round to 2**64 are left out: no U reaches them.

    Example:
        >>> first, table = thresholds(0.5)
        >>> 1700 < first < 1800 and 500 < table.size < 700
        True
    """
    exact = Fraction(rate)
    hit, of = exact.numerator, exact.denominator
    miss = of - hit
    bits = 64 + GUARD
    # (miss / of)**4096 as a mantissa of about 320 bits and an exponent: rate 1/2 starts at 2**-4096
    mantissa, exponent = _power(miss, of, BLOCK)
    half = 1 << (GUARD - 1)
    total, first = 0, 0
    kept: list[int] = []
    for j in range(BLOCK + 1):
        total += mantissa >> -exponent - bits if -exponent > bits else mantissa << bits + exponent
        threshold = (total + half) >> GUARD
        if threshold >= 1 << 64:
            break
        if threshold or kept:
            kept.append(threshold)
        else:
            first += 1
        mantissa = mantissa * (BLOCK - j) * hit // ((j + 1) * miss)
        mantissa, exponent = _trim(mantissa, exponent)
    table = np.array(kept, dtype=np.uint64)
    table.flags.writeable = False
    return first, table


def _trim(mantissa: int, exponent: int, width: int = 320) -> tuple[int, int]:
    """Cut or pad a mantissa to `width` bits (to keep every later step at the same relative precision)."""
    shift = mantissa.bit_length() - width
    return (mantissa >> shift if shift > 0 else mantissa << -shift), exponent + shift


def _power(numerator: int, denominator: int, times: int) -> tuple[int, int]:
    """Return (numerator / denominator)**times, for `times` a power of two, as mantissa * 2**exponent."""
    shift = 320 + denominator.bit_length()
    mantissa, exponent = _trim((numerator << shift) // denominator, -shift)
    while times > 1:
        mantissa, exponent = _trim(mantissa * mantissa, 2 * exponent)
        times //= 2
    return mantissa, exponent
