"""Values of units as torch tensors, reduced on the device where they lie."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genewright.backends.torch.observing.reductions import Reduction, array_of_numbers, reduced
from genewright.observation import Chunk, Numbers, Positions

_ELEMENTS = 1 << 20  # of a chunk in main memory
_CANCELLED = 1 / 64  # of the squares: where less is left of them about a centre, rounding has its share in it


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


def chunks(
    seen: Seen, first: int, labels: NDArray[np.int64] | None, asked: dict[Reduction, None]
) -> Iterator[TorchChunk]:
    """Yield a batch's values in pieces of whole samples, small enough to be held in float64."""
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
            asked=asked,
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
        asked: The reductions that earlier chunks of these units were asked for: all come with the first of them.
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
        asked: dict[Reduction, None] | None = None,
    ) -> None:
        self.samples, self.positions = values.shape[0], values.shape[3 - unit_axis]
        self.first, self.by_sample, self.labels = first, by_sample, labels
        self._given, self._gradient, self._vectors = values, gradient, values.dim() == 4
        self._position_axis = 3 - unit_axis
        self._asked: dict[Reduction, None] = {} if asked is None else asked
        self._found: dict[Reduction, Numbers] = {}

    @functools.cached_property
    def _raw(self) -> torch.Tensor:
        return self._wide if self._vectors else self._given

    @functools.cached_property
    def _wide(self) -> torch.Tensor:
        wide = self._given.double()
        return wide.square().sum(3).sqrt() if self._vectors else wide

    def _reduced(self, name: str, number: float = 0.0) -> Numbers:
        key = name, float(number)
        if key not in self._found:
            self._asked[key] = None
            left = [key for key in self._asked if key not in self._found]
            self._found |= reduced(self._raw, self._position_axis, left)
        return self._found[key]

    def sums(self) -> Numbers:
        return self._reduced("sums")

    def distances(self, centre: float = 0.0) -> Numbers:
        return self._reduced("distances", centre)

    def squares(self, about: Numbers | None = None) -> Numbers:
        squares = self._reduced("squares")
        if about is None:
            return squares
        with np.errstate(invalid="ignore", over="ignore"):
            centred = squares - about * (2 * self.sums() - self.count * about)
            cancelled = np.flatnonzero(centred < squares * _CANCELLED)
        if len(cancelled):  # the differences themselves, where little is left of the squares
            unit_axis = 3 - self._position_axis
            index = torch.from_numpy(cancelled).to(self._raw.device)  # pyright: ignore[reportUnknownMemberType]
            centre = torch.from_numpy(about[cancelled]).to(self._raw.device)  # pyright: ignore[reportUnknownMemberType]
            apart = self._raw.index_select(unit_axis, index).double()
            apart -= centre[:, None] if unit_axis == 1 else centre
            centred[cancelled] = array_of_numbers(apart.square_().sum((0, self._position_axis)))
        return centred

    def lowest(self) -> Numbers:
        return self._reduced("lowest")

    def highest(self) -> Numbers:
        return self._reduced("highest")

    def above(self, threshold: float) -> Numbers:
        return self._reduced("above", threshold)

    def equal(self, value: float) -> Numbers:
        return self._reduced("equal", value)

    def nonfinite(self) -> Numbers:
        sums = self.sums()
        if np.isfinite(sums).all():  # a sum in float64 of numbers that are finite is finite
            return np.zeros(len(sums))
        return array_of_numbers((~torch.isfinite(self._raw)).double().sum((0, self._position_axis)))

    def sample_means(self) -> Numbers:
        return array_of_numbers(self._wide.mean(self._position_axis))

    def take(self, samples: Positions, positions: Positions) -> Numbers:
        at = torch.from_numpy(samples), torch.from_numpy(positions)  # pyright: ignore[reportUnknownMemberType]
        wide = self._raw
        return array_of_numbers(wide[at[0], :, at[1]] if self._position_axis == 2 else wide[at[0], at[1]])

    def products(self) -> Numbers:
        product = self._given.double() * self._slope.double()
        if self._vectors:
            product = product.sum(3)
        return array_of_numbers(product.sum(self._position_axis))

    def slopes(self) -> Numbers:
        slope = self._slope.double()
        size = slope.square().sum(3).sqrt() if self._vectors else slope.abs()
        return array_of_numbers(size.sum(self._position_axis))

    @property
    def _slope(self) -> torch.Tensor:
        assert self._gradient is not None  # asked for by whoever reads it
        return self._gradient
