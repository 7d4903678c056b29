"""Values of units as NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genewright.observation import Chunk, Numbers, Positions

_ELEMENTS = 1 << 18  # of a chunk: in float64 it stays in the processor's cache


def chunks(
    values: NDArray[np.floating],
    gradient: NDArray[np.floating] | None,
    *,
    first: int,
    by_sample: bool,
    labels: NDArray[np.int64] | None,
) -> Iterator[ArrayChunk]:
    """Yield a batch's values in pieces of whole samples.

    Args:
        values: Shape (samples, positions, units), or (samples, positions, units, entries) where a unit is a vector.
        gradient: The gradient of the samples' losses, of the same shape, or None.
        first: The number of the first sample.
        by_sample: Whether it is known which sample a position belongs to.
        labels: The samples' classes, or None.
    """
    step = max(1, _ELEMENTS // max(1, values[0].size)) if len(values) else 1
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        chunk = ArrayChunk(values[part], None if gradient is None else gradient[part])
        chunk.first = first + start if by_sample else first
        chunk.by_sample = by_sample
        chunk.labels = None if labels is None or not by_sample else labels[part]
        yield chunk


class ArrayChunk(Chunk):
    """Some samples of a batch.

    Args:
        values: As in `chunks`.
        gradient: As in `chunks`.
    """

    def __init__(self, values: NDArray[np.floating], gradient: NDArray[np.floating] | None = None) -> None:
        self.samples, self.positions = values.shape[:2]
        self._given, self._gradient, self._vectors = values.astype(np.float64), gradient, values.ndim == 4

    @functools.cached_property
    def _wide(self) -> Numbers:
        return np.sqrt(np.square(self._given).sum(axis=3)) if self._vectors else self._given

    @functools.cached_property
    def _sums(self) -> Numbers:
        return self._wide.sum(axis=(0, 1))

    def sums(self) -> Numbers:
        return self._sums

    def distances(self, centre: float = 0.0) -> Numbers:
        return np.abs(self._wide - centre).sum(axis=(0, 1))

    def squares(self, about: Numbers | None = None) -> Numbers:
        return np.square(self._wide if about is None else self._wide - about).sum(axis=(0, 1))

    def lowest(self) -> Numbers:
        return self._wide.min(axis=(0, 1))

    def highest(self) -> Numbers:
        return self._wide.max(axis=(0, 1))

    def above(self, threshold: float) -> Numbers:
        return (self._wide > threshold).sum(axis=(0, 1)).astype(np.float64)

    def equal(self, value: float) -> Numbers:
        return (self._wide == value).sum(axis=(0, 1)).astype(np.float64)

    def nonfinite(self) -> Numbers:
        return (~np.isfinite(self._wide)).sum(axis=(0, 1)).astype(np.float64)

    def sample_means(self) -> Numbers:
        return self._wide.mean(axis=1)

    def take(self, samples: Positions, positions: Positions) -> Numbers:
        return self._wide[samples, positions]

    def products(self) -> Numbers:
        product = self._given * self._slope
        return (product.sum(axis=3) if self._vectors else product).sum(axis=1)

    def slopes(self) -> Numbers:
        slope = self._slope
        return (np.sqrt(np.square(slope).sum(axis=3)) if self._vectors else np.abs(slope)).sum(axis=1)

    @functools.cached_property
    def _slope(self) -> Numbers:
        assert self._gradient is not None  # asked for by whoever reads it
        return self._gradient.astype(np.float64)
