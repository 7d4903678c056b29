"""Values of units as NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from genewright.observation import Numbers, Positions
from genewright.reductions.chunk import Asked, ReducedChunk
from genewright.reductions.reduction import Reduction, reduced_at_once

_ELEMENTS = 1 << 20  # of a chunk: they may be held in float64


def chunks(
    values: NDArray[np.floating],
    gradient: NDArray[np.floating] | None,
    *,
    first: int,
    by_sample: bool,
    labels: NDArray[np.int64] | None,
    asked: Asked,
) -> Iterator[ArrayChunk]:
    """Yield a batch's values in pieces of whole samples.

    Args:
        values: Shape (samples, positions, units), or (samples, positions, units, entries) where a unit is a vector.
        gradient: The gradient of the samples' losses, of the same shape, or None.
        first: The number of the first sample.
        by_sample: Whether it is known which sample a position belongs to.
        labels: The samples' classes, or None.
        asked: What earlier chunks of these units were asked for.
    """
    step = max(1, _ELEMENTS // max(1, values[0].size)) if len(values) else 1
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        chunk = ArrayChunk(values[part], None if gradient is None else gradient[part], asked)
        chunk.first = first + start if by_sample else first
        chunk.by_sample = by_sample
        chunk.labels = None if labels is None or not by_sample else labels[part]
        yield chunk


class ArrayChunk(ReducedChunk):
    """Some samples of a batch.

    Args:
        values: As in `chunks`.
        gradient: As in `chunks`.
        asked: As in `chunks`.
    """

    def __init__(
        self, values: NDArray[np.floating], gradient: NDArray[np.floating] | None = None, asked: Asked | None = None
    ) -> None:
        super().__init__(asked)
        self.samples, self.positions = values.shape[:2]
        self._given, self._gradient, self._vectors = values, gradient, values.ndim == 4

    @functools.cached_property
    def _wide(self) -> Numbers:
        wide = self._given.astype(np.float64)
        return np.sqrt(np.square(wide).sum(axis=3)) if self._vectors else wide

    def reduce(self, wanted: list[Reduction]) -> dict[Reduction, Numbers]:
        return (None if self._vectors else reduced_at_once(self._given, 2, wanted)) or reduced(self._wide, wanted)

    def squares_apart(self, units: Positions, about: Numbers) -> Numbers:
        return np.square(self._wide[..., units] - about).sum(axis=(0, 1))

    def count_nonfinite(self) -> Numbers:
        return (~np.isfinite(self._wide)).sum(axis=(0, 1)).astype(np.float64)

    def sample_means(self) -> Numbers:
        return self._wide.mean(axis=1)

    def take(self, samples: Positions, positions: Positions) -> Numbers:
        return (self._wide if self._vectors else self._given)[samples, positions].astype(np.float64)

    def products(self) -> Numbers:
        product = self._given.astype(np.float64) * self._slope
        return (product.sum(axis=3) if self._vectors else product).sum(axis=1)

    def slopes(self) -> Numbers:
        slope = self._slope
        return (np.sqrt(np.square(slope).sum(axis=3)) if self._vectors else np.abs(slope)).sum(axis=1)

    @functools.cached_property
    def _slope(self) -> Numbers:
        assert self._gradient is not None  # asked for by whoever reads it
        return self._gradient.astype(np.float64)


def reduced(wide: Numbers, wanted: Iterable[Reduction]) -> dict[Reduction, Numbers]:
    """Return reductions of values of shape (samples, positions, units), one after the other."""
    return {(name, number): _REDUCED[name](wide, number) for name, number in wanted}


_REDUCED: dict[str, Callable[[Numbers, float], Numbers]] = {
    "sums": lambda wide, _: wide.sum(axis=(0, 1)),
    "squares": lambda wide, _: np.square(wide).sum(axis=(0, 1)),
    "distances": lambda wide, centre: np.abs(wide - centre).sum(axis=(0, 1)),
    "lowest": lambda wide, _: wide.min(axis=(0, 1)),
    "highest": lambda wide, _: wide.max(axis=(0, 1)),
    "above": lambda wide, threshold: (wide > threshold).sum(axis=(0, 1)).astype(np.float64),
    "equal": lambda wide, value: (wide == value).sum(axis=(0, 1)).astype(np.float64),
}
