"""Words: 32 random bits for every (stream, purpose, index), laid out for vector units.

The index is the row-major logical index in the full tensor. A tile of 128 elements takes 32 counters side
by side: element `i` reads word `(i >> 5) & 3` of counter `(i >> 7) * 32 + (i & 31)`. So a vector unit fills
whole registers with consecutive counters, and its four outputs are four runs of consecutive elements.

The counter of Philox holds, lowest word first: the low and the high half of the counter number, the low
half of the stream's tweak, and the tweak's other 24 bits below 8 bits of purpose.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError, UnsupportedError
from genewright.noise.key import Stream
from genewright.noise.philox import HALF, LOW, U32, U64, philox, philox_once

Index = range | NDArray[np.integer]


class Purpose(IntEnum):
    """What words are used for. Each purpose is a space of its own, so that no use disturbs another."""

    NOISE = 1
    COUNT = 2
    POSITION = 3
    ROUND = 4
    BIT = 5
    PERMUTATION = 6
    CHOICE = 7
    SETTING = 8


def counter_words(stream: Stream, purpose: Purpose, counter: U64) -> tuple[U64, U64, U64, U64]:
    """Return the four words of each counter number, held in uint64."""
    if counter.size == 1:
        made = np.array(single_words(stream, purpose, counter.item()), np.uint64).reshape(4, *counter.shape)
        return made[0, ...], made[1, ...], made[2, ...], made[3, ...]
    tweak_low = np.full_like(counter, stream.tweak & 0xFFFFFFFF)
    tweak_high = np.full_like(counter, stream.tweak >> 32 | int(purpose) << 24)
    key = (stream.key & 0xFFFFFFFF, stream.key >> 32)
    return philox((counter & LOW, counter >> HALF, tweak_low, tweak_high), key)


def single_words(stream: Stream, purpose: Purpose, counter: int) -> tuple[int, int, int, int]:
    """Return the four words of one counter number."""
    tweak = (stream.tweak & 0xFFFFFFFF, stream.tweak >> 32 | int(purpose) << 24)
    return philox_once((counter & 0xFFFFFFFF, counter >> 32, *tweak), (stream.key & 0xFFFFFFFF, stream.key >> 32))


def words(stream: Stream, purpose: Purpose, index: Index) -> U32:
    """Return the word of each index: a pure function, whatever the order or the number of calls.

    Args:
        stream: From `derive`.
        purpose: The word space.
        index: A range or an integer array of any shape and order, values in [0, 2**63).

    Returns:
        uint32, of the index's shape.

    Raises:
        UnsupportedError: If the index is not made of integers.
        SettingError: If an index is negative.

    Example:
        >>> stream = Stream(key=1, tweak=2)
        >>> whole = words(stream, Purpose.NOISE, range(300))
        >>> bool(words(stream, Purpose.NOISE, np.array([299]))[0] == whole[299])
        True
    """
    where = as_index(index)
    counter = (where >> np.uint64(7)) * np.uint64(32) + (where & np.uint64(31))
    lane = (where >> np.uint64(5)) & np.uint64(3)
    return np.choose(lane.astype(np.intp), counter_words(stream, purpose, counter)).astype(np.uint32)


def as_index(index: Index) -> U64:
    """Return the index as uint64, or say what is wrong with it."""
    if isinstance(index, range):
        array = np.arange(index.start, index.stop, index.step, dtype=np.int64)
    else:
        array = np.asarray(index)
        if array.dtype.kind not in "iu":
            raise UnsupportedError(f"an index is a range or an integer array, got an array of {array.dtype}")
    if array.size and int(array.min()) < 0:
        raise SettingError(f"an index counts from 0, got {int(array.min())}")
    return array.astype(np.uint64)
