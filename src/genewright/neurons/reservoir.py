"""A reservoir: some of the data, drawn by seed as it streams by, so that memory does not grow with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genewright.noise import Purpose, Stream, words
from genewright.observation import Chunk, Numbers, Positions

_A_SAMPLE = 64  # positions of a sample that can be kept: a feature map has thousands, and neighbours are alike


class Reservoir:
    """Keeps the values of all units at `size` places: all while there are fewer, else those with the lowest keys.

    The key of a place is a random number of its sample's number and its position, so that what is kept depends on the
    seed and on the order of samples, and not on how they come in batches. Of a sample with more than 64 positions, 64
    can be kept: evenly spaced ones, from a random first one on.

    Args:
        size: How many places are kept.
        stream: Seeded noise; each place has its own 32 bits of it.
        by_sample: Keep the mean over positions of samples, one place a sample.
    """

    def __init__(self, size: int, stream: Stream, *, by_sample: bool = False) -> None:
        self._size, self._stream, self._by_sample = size, stream, by_sample
        self._keys: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._kept: Numbers | None = None
        self._before = 0

    def add(self, chunk: Chunk) -> None:
        """Take the places of a chunk whose keys are among the lowest."""
        samples, positions = self._places(chunk)
        start = self._before
        self._before += len(samples)
        index = range(start, start + len(samples))
        keys = words(self._stream, Purpose.CHOICE, index).astype(np.uint64) << np.uint64(32)
        keys |= np.asarray(index, np.uint64) & np.uint64(0xFFFFFFFF)  # no two are alike
        every = np.concatenate([self._keys, keys])
        kept = np.arange(len(every))
        if len(every) > self._size:
            kept = np.argpartition(every, self._size - 1)[: self._size]
        new = kept[kept >= len(self._keys)] - len(self._keys)
        if not len(new):
            return
        rows = chunk.sample_means()[samples[new]] if self._by_sample else chunk.take(samples[new], positions[new])
        old = kept[kept < len(self._keys)]
        held = rows[:0] if self._kept is None else self._kept[old]
        self._kept, self._keys = np.concatenate([held, rows]), np.concatenate([self._keys[old], keys[new]])

    def rows(self) -> Numbers | None:
        """Return what is kept, of shape (places, units), in the order of the keys; None where nothing came by."""
        return None if self._kept is None else self._kept[np.argsort(self._keys)]

    def _places(self, chunk: Chunk) -> tuple[Positions, Positions]:
        """Return the sample and the position of every place of a chunk that can be kept."""
        if self._by_sample:
            return np.arange(chunk.samples), np.zeros(chunk.samples, np.int64)
        held = min(chunk.positions, _A_SAMPLE) if chunk.by_sample else chunk.positions
        samples = np.repeat(np.arange(chunk.samples), held)
        spaced = np.arange(held) * chunk.positions // max(1, held)
        firsts = np.zeros(chunk.samples, np.int64)
        if held < chunk.positions:
            numbers = range(chunk.first, chunk.first + chunk.samples)
            firsts = words(self._stream, Purpose.POSITION, numbers).astype(np.int64) % chunk.positions
        return samples, ((firsts[:, None] + spaced) % max(1, chunk.positions)).reshape(-1)
