"""Decisions: permutations, weighted choices, and one float for a setting that is drawn from a range."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.key import Stream
from genewright.noise.philox import HALF
from genewright.noise.words import Purpose, counter_words


def permutation(stream: Stream, size: int, index: int = 0) -> NDArray[np.int64]:
    """Return a uniformly random permutation of range(size).

    The elements are sorted by 64 bit keys. Two keys are equal with a probability below size**2 / 2**65;
    then the order of the two elements is kept.

    Args:
        stream: From `derive`.
        size: The number of elements, below 2**33.
        index: Numbers the independent permutations of one stream, one per unit for example; below 2**32.

    Returns:
        int64 of shape (size,).

    Raises:
        SettingError: If size or index is out of range.

    Example:
        >>> sorted(permutation(Stream(key=1, tweak=2), 5).tolist())
        [0, 1, 2, 3, 4]
    """
    if not 0 <= size < 1 << 33:
        raise SettingError(f"a permutation's size must be from 0 to 2**33 - 1, got {size}")
    if not 0 <= index < 1 << 32:
        raise SettingError(f"a permutation's index must be from 0 to 2**32 - 1, got {index}")
    counter = np.arange((size + 1) // 2, dtype=np.uint64) + (np.uint64(index) << HALF)
    word = counter_words(stream, Purpose.PERMUTATION, counter)
    keys = np.stack([word[0] | word[1] << HALF, word[2] | word[3] << HALF], axis=1).ravel()[:size]
    return np.argsort(keys, kind="stable").astype(np.int64)


def choice(stream: Stream, weights: Sequence[float], index: int = 0) -> int:
    """Choose one position with a probability proportional to its weight.

    The weights are summed as exact fractions and compared with 64 random bits: entry i is chosen when it is
    the first with `U * total < 2**64 * (w_0 + ... + w_i)`. An entry of weight 0 is never chosen.

    Args:
        stream: From `derive`.
        weights: At least one, all finite and at least 0, not all 0.
        index: Numbers the independent choices of one stream; below 2**64.

    Returns:
        A position in `weights`.

    Raises:
        SettingError: If the weights or the index are out of range.

    Example:
        >>> choice(Stream(key=1, tweak=2), [0, 1, 0])
        1
    """
    if not weights or not all(isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise SettingError(f"weights are finite, at least 0, one above 0, got {list(weights)!r}: write weights=[2, 1]")
    sums = list(accumulate(Fraction(weight) for weight in weights))
    return bisect_right(sums, Fraction(_bits64(stream, Purpose.CHOICE, index), 1 << 64) * sums[-1])


def uniform01(stream: Stream, index: int = 0) -> float:
    """Draw one float64 in [0, 1): a multiple of 2**-53.

    Args:
        stream: From `derive`.
        index: Numbers the independent draws of one stream; below 2**64.

    Returns:
        A Python float.

    Example:
        >>> 0 <= uniform01(Stream(key=1, tweak=2)) < 1
        True
    """
    return (_bits64(stream, Purpose.SETTING, index) >> 11) * 2.0**-53


def _bits64(stream: Stream, purpose: Purpose, index: int) -> int:
    if not 0 <= index < 1 << 64:
        raise SettingError(f"an index must be from 0 to 2**64 - 1, got {index}")
    low, high, _, _ = counter_words(stream, purpose, np.array([index], np.uint64))
    return int(low[0]) | int(high[0]) << 32
