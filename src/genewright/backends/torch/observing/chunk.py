"""Values of units as torch tensors, reduced on the device where they lie."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genewright.observation import Chunk, Numbers, Positions

_ELEMENTS = 1 << 18  # of a chunk in main memory: in float64 it stays in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A tensor that holds units' values for a batch.

    Attributes:
        values: The tensor, of shape (samples, units, positions), (samples, positions, units) or, where a unit is a
            vector, (samples, positions, units, entries).
        unit_axis: 1 or 2.
        gradient: The gradient of the samples' losses, of the same shape; None where it is not asked for.
        by_sample: Whether it is known which sample a position belongs to.
    """

    values: torch.Tensor
    unit_axis: int
    gradient: torch.Tensor | None = None
    by_sample: bool = True


def chunks(seen: Seen, first: int, labels: NDArray[np.int64] | None) -> Iterator[TorchChunk]:
    """Yield a batch's values in pieces of whole samples, small enough to be looked at several times for little."""
    values, gradient = seen.values.detach(), seen.gradient
    if values.device.type == "mps":  # it has no float64
        values, gradient = values.cpu(), None if gradient is None else gradient.cpu()
    each = max(1, values[0].numel()) if len(values) else 1
    step = max(1, len(values) if values.device.type != "cpu" else _ELEMENTS // each)
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        yield TorchChunk(
            values[part],
            seen.unit_axis,
            None if gradient is None else gradient[part],
            first=first + start if seen.by_sample else first,
            by_sample=seen.by_sample,
            labels=None if labels is None or not seen.by_sample else labels[part],
        )


class TorchChunk(Chunk):
    """Some samples of a `Seen`.

    Args:
        values: As in `Seen`.
        unit_axis: 1 or 2.
        gradient: As in `Seen`.
        first: The number of the first sample.
        by_sample: As in `Seen`.
        labels: The samples' classes.
    """

    def __init__(
        self,
        values: torch.Tensor,
        unit_axis: int,
        gradient: torch.Tensor | None = None,
        *,
        first: int = 0,
        by_sample: bool = True,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        self.samples, self.positions = values.shape[0], values.shape[3 - unit_axis]
        self.first, self.by_sample, self.labels = first, by_sample, labels
        self._given, self._gradient, self._vectors = values, gradient, values.dim() == 4
        self._position_axis = 3 - unit_axis
        self._over = (0, self._position_axis)

    @functools.cached_property
    def _raw(self) -> torch.Tensor:
        return self._wide if self._vectors else self._given

    @functools.cached_property
    def _wide(self) -> torch.Tensor:
        wide = self._given.double()
        return wide.square().sum(3).sqrt() if self._vectors else wide

    @functools.cached_property
    def _sums(self) -> Numbers:
        return _array(self._wide.sum(self._over))

    @functools.cached_property
    def _lowest(self) -> Numbers:
        return _array(self._raw.amin(self._over))

    def sums(self) -> Numbers:
        return self._sums

    def distances(self, centre: float = 0.0) -> Numbers:
        if centre == 0 and bool((self._lowest >= 0).all()):  # behind a ReLU the absolute values are the values
            return self._sums
        apart = self._wide.abs() if centre == 0 else (self._wide - centre).abs_()
        return _array(apart.sum(self._over))

    def squares(self, about: Numbers | None = None) -> Numbers:
        if about is None:
            return _array(self._wide.square().sum(self._over))
        centre = torch.from_numpy(about).to(self._wide.device)  # pyright: ignore[reportUnknownMemberType]
        centred = self._wide - (centre[:, None] if self._position_axis == 2 else centre)
        return _array(centred.square_().sum(self._over))

    def lowest(self) -> Numbers:
        return self._lowest

    def highest(self) -> Numbers:
        return self._highest

    @functools.cached_property
    def _highest(self) -> Numbers:
        return _array(self._raw.amax(self._over))

    def above(self, threshold: float) -> Numbers:
        exact = self._raw.dtype == torch.float32 and float(np.float32(threshold)) == threshold
        values = self._raw if exact else self._wide
        return self._counted(torch.gt(values, threshold, out=torch.empty_like(values)))

    def equal(self, value: float) -> Numbers:
        exact = self._raw.dtype == torch.float32 and float(np.float32(value)) == value
        values = self._raw if exact else self._wide
        return self._counted(torch.eq(values, value, out=torch.empty_like(values)))

    def nonfinite(self) -> Numbers:
        if np.isfinite(self._sums).all():  # a sum in float64 of numbers that are finite is finite
            return np.zeros(len(self._sums))
        return self._counted((~torch.isfinite(self._wide)).double())

    def sample_means(self) -> Numbers:
        return _array(self._wide.mean(self._position_axis))

    def take(self, samples: Positions, positions: Positions) -> Numbers:
        at = torch.from_numpy(samples), torch.from_numpy(positions)  # pyright: ignore[reportUnknownMemberType]
        wide = self._raw
        return _array(wide[at[0], :, at[1]] if self._position_axis == 2 else wide[at[0], at[1]])

    def products(self) -> Numbers:
        product = self._given.double() * self._slope.double()
        if self._vectors:
            product = product.sum(3)
        return _array(product.sum(self._position_axis))

    def slopes(self) -> Numbers:
        slope = self._slope.double()
        size = slope.square().sum(3).sqrt() if self._vectors else slope.abs()
        return _array(size.sum(self._position_axis))

    def _counted(self, ones: torch.Tensor) -> Numbers:
        """Return how many ones there are: floating ones, which are written and summed much faster than bools."""
        few = ones.numel() < 1 << 24  # up to there float32 counts exactly
        return _array(ones.sum(self._over, dtype=ones.dtype if few else torch.float64))

    @property
    def _slope(self) -> torch.Tensor:
        assert self._gradient is not None  # asked for by whoever reads it
        return self._gradient


def _array(tensor: torch.Tensor) -> Numbers:
    array: Any = tensor.detach().cpu().double().numpy()
    return array
