"""Masks: which elements a change of a given rate hits. Exact, random access, at a cost that follows the hits.

Elements are hit independently with the given probability. They are taken in blocks of 4,096. In a block,
the number of hits k is an exact binomial quantile of 64 bits (`binomial`), and the hits are the first k
distinct of a stream of 12 bit draws. A rate above one half is the complement of the rate 1 - rate. Up to
one half, the mask of a lower rate is a subset of the mask of a higher one (same bits, fewer of the same
draws).

Block b takes the first two words of counter b of the purpose COUNT (low word first), and counters b * 2**14
+ j of the purpose POSITION. Eight of these counters make 64 draws: first bits 0..11 of the eight first
words, then bits 16..27 of the eight first words, then the same of the second, third and fourth words.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.binomial import BLOCK, thresholds
from genewright.noise.key import Stream
from genewright.noise.philox import HALF
from genewright.noise.words import Purpose, counter_words

I64 = NDArray[np.int64]
BLOCK_BITS: Final = 14
"""log2 of the counters that a block may use: draws for 2**17, where some 3,500 are enough for any rate."""


def mask(stream: Stream, rate: float, start: int, stop: int) -> I64:
    """Return the sorted hits inside [start, stop), for arguments that `check_range` has passed."""
    parts = list(blocks(stream, rate, start, stop))
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def blocks(stream: Stream, rate: float, start: int, stop: int) -> Iterator[I64]:
    """Yield the sorted hits inside [start, stop), a block at a time, for a rate that has been checked."""
    if start >= stop or rate == 0:
        return
    first, last = start // BLOCK, (stop - 1) // BLOCK
    counts = hits(stream, rate, first, last + 1)
    for block, count in zip(range(first, last + 1), counts.tolist(), strict=True):
        inside = np.arange(BLOCK) if rate == 1 else positions(stream, block, count)
        if 0.5 < rate < 1:
            inside = np.setdiff1d(np.arange(BLOCK), inside, assume_unique=True)
        found = inside.astype(np.int64) + block * BLOCK
        if block in (first, last):
            found = found[(found >= start) & (found < stop)]
        yield found


def hits(stream: Stream, rate: float, first: int, last: int) -> I64:
    """Return how many positions each block of [first, last) draws: its hits, above one half its misses."""
    if rate in (0, 1):
        return np.zeros(last - first, np.int64)
    low, high, _, _ = counter_words(stream, Purpose.COUNT, np.arange(first, last, dtype=np.uint64))
    below, table = thresholds(min(rate, 1 - rate))
    return below + np.searchsorted(table, low | high << HALF, side="right").astype(np.int64)


def positions(stream: Stream, block: int, count: int) -> I64:
    """Return the first `count` distinct draws of a block, sorted."""
    groups = count // 48 + 1
    while True:
        drawn = draws(stream, block, groups)
        values, when = np.unique(drawn, return_index=True)
        if values.size >= count:
            return np.sort(values[np.argsort(when)[:count]])
        groups *= 2


def draws(stream: Stream, block: int, groups: int) -> I64:
    """Return the first 64 * groups draws of a block, each in [0, 4096)."""
    counter = (np.uint64(block) << np.uint64(BLOCK_BITS)) + np.arange(8 * groups, dtype=np.uint64)
    word = np.stack(counter_words(stream, Purpose.POSITION, counter))  # (word, counter)
    halves = np.stack([word & np.uint64(0xFFF), word >> np.uint64(16) & np.uint64(0xFFF)], axis=1)
    return halves.reshape(8, groups, 8).transpose(1, 0, 2).ravel().astype(np.int64)


def check_range(rate: float, size: int, start: int, stop: int | None) -> tuple[int, int]:
    """Return (start, stop), or raise a SettingError about the rate or the range."""
    check_rate(rate)
    end = size if stop is None else stop
    if not 0 <= start <= end <= size:
        raise SettingError(f"need 0 <= start <= stop <= size, got start={start}, stop={end}, size={size}")
    return start, end


def check_rate(rate: float) -> None:
    """Raise a SettingError unless the rate is a probability."""
    if not 0 <= rate <= 1:
        raise SettingError(f"rate is the share of elements that change, from 0 to 1, got {rate!r}")
