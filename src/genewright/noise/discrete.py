"""Decisions: permutations, weighted choices, and one float for a setting that is drawn from a range.

Each takes one index, or an array of them for as many independent decisions at once, with the same results.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import isfinite
from typing import overload

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.key import Stream
from genewright.noise.philox import HALF, U64
from genewright.noise.words import Index, Purpose, as_index, counter_words, single_words


def permutation(stream: Stream, size: int, index: int | Index = 0) -> NDArray[np.int64]:
    """Return a uniformly random permutation of range(size).

    The elements are sorted by 64 bit keys. Two keys are equal with a probability below size**2 / 2**65;
    then the order of the two elements is kept.

    Args:
        stream: From `derive`.
        size: The number of elements, below 2**33.
        index: Numbers the independent permutations of one stream, one per unit for example; below 2**32. A
            range or an integer array draws one for each.

    Returns:
        int64 of shape (size,); for an array of indices (*index.shape, size).

    Raises:
        SettingError: If size or an index is out of range.
        UnsupportedError: If the indices are not integers.

    Example:
        >>> sorted(permutation(Stream(key=1, tweak=2), 5).tolist())
        [0, 1, 2, 3, 4]
        >>> permutation(Stream(key=1, tweak=2), 5, range(3)).shape
        (3, 5)
    """
    if not 0 <= size < 1 << 33:
        raise SettingError(f"a permutation's size must be from 0 to 2**33 - 1, got {size}")
    number = _checked(index)
    if number.size and int(number.max()) >= 1 << 32:
        raise SettingError(f"a permutation's index must be from 0 to 2**32 - 1, got {int(number.max())}")
    counter = np.arange((size + 1) // 2, dtype=np.uint64) + (number[..., None] << HALF)
    word = counter_words(stream, Purpose.PERMUTATION, counter)
    keys = np.stack([word[0] | word[1] << HALF, word[2] | word[3] << HALF], axis=-1)
    keys = keys.reshape(*number.shape, counter.shape[-1] * 2)[..., :size]
    return np.argsort(keys, axis=-1, kind="stable").astype(np.int64)


@overload
def choice(stream: Stream, weights: Sequence[float], index: int = 0) -> int: ...
@overload
def choice(stream: Stream, weights: Sequence[float], index: Index) -> NDArray[np.int64]: ...
def choice(stream: Stream, weights: Sequence[float], index: int | Index = 0) -> int | NDArray[np.int64]:
    """Choose one position with a probability proportional to its weight.

    The weights are summed as exact fractions and compared with 64 random bits: entry i is chosen when it is
    the first with `U * total < 2**64 * (w_0 + ... + w_i)`. An entry of weight 0 is never chosen.

    Args:
        stream: From `derive`.
        weights: At least one, all finite and at least 0, not all 0.
        index: Numbers the independent choices of one stream; below 2**64. A range or an integer array makes
            one choice for each.

    Returns:
        A position in `weights`; for an array of indices int64 of its shape.

    Raises:
        SettingError: If the weights or an index are out of range.
        UnsupportedError: If the indices are not integers.

    Example:
        >>> choice(Stream(key=1, tweak=2), [0, 1, 0])
        1
        >>> choice(Stream(key=1, tweak=2), [0, 1, 0], range(3)).tolist()
        [1, 1, 1]
    """
    if not weights or not all(isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise SettingError(f"weights are finite, at least 0, one above 0, got {list(weights)!r}: write weights=[2, 1]")
    sums = list(accumulate(Fraction(weight) for weight in weights))
    # U * total < 2**64 * sum exactly where U < ceil(2**64 * sum / total); all U are below 2**64
    ends = [-(-(1 << 64) * part // sums[-1]) for part in sums]
    table = np.array([end for end in ends if end < 1 << 64], np.uint64)
    chosen = np.searchsorted(table, _bits64(stream, Purpose.CHOICE, _checked(index)), side="right").astype(np.int64)
    return int(chosen) if isinstance(index, int) else chosen


@overload
def uniform01(stream: Stream, index: int = 0) -> float: ...
@overload
def uniform01(stream: Stream, index: Index) -> NDArray[np.float64]: ...
def uniform01(stream: Stream, index: int | Index = 0) -> float | NDArray[np.float64]:
    """Draw float64 in [0, 1): multiples of 2**-53.

    Args:
        stream: From `derive`.
        index: Numbers the independent draws of one stream; below 2**64. A range or an integer array draws one
            for each.

    Returns:
        A Python float; for an array of indices float64 of its shape.

    Raises:
        SettingError: If an index is out of range.
        UnsupportedError: If the indices are not integers.

    Example:
        >>> 0 <= uniform01(Stream(key=1, tweak=2)) < 1
        True
        >>> uniform01(Stream(key=1, tweak=2), range(9)).shape
        (9,)
    """
    if isinstance(index, int):
        low, high, _, _ = single_words(stream, Purpose.SETTING, _in_range(index))
        return ((low | high << 32) >> 11) * 2.0**-53
    return (_bits64(stream, Purpose.SETTING, as_index(index)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _checked(index: int | Index) -> U64:
    """Return the indices as uint64: an array of their shape, of no dimension for a single one."""
    return np.array(_in_range(index), np.uint64) if isinstance(index, int) else as_index(index)


def _in_range(index: int) -> int:
    if not 0 <= index < 1 << 64:
        raise SettingError(f"an index must be from 0 to 2**64 - 1, got {index}")
    return index


def _bits64(stream: Stream, purpose: Purpose, index: U64) -> U64:
    low, high, _, _ = counter_words(stream, purpose, index)
    return low | high << HALF
