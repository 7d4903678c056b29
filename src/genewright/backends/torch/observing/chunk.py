"""Values of units as torch tensors, reduced on the device where they lie."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genewright.backends.torch.observing.reductions import array_of_numbers, reduced
from genewright.observation import Numbers, Positions
from genewright.reductions.chunk import Asked, ReducedChunk
from genewright.reductions.reduction import Reduction

_ELEMENTS = 1 << 22  # of a chunk in main memory


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


def chunks(seen: Seen, first: int, labels: NDArray[np.int64] | None, asked: Asked) -> Iterator[TorchChunk]:
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


class TorchChunk(ReducedChunk):
    """Some samples of a `Seen`.

    Args:
        values: As in `Seen`.
        unit_axis: 1 or 2.
        gradient: As in `Seen`.
        first: The number of the first sample.
        by_sample: As in `Seen`.
        labels: The samples' classes.
        asked: What earlier chunks of these units were asked for.
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
        asked: Asked | None = None,
    ) -> None:
        super().__init__(asked)
        self.samples, self.positions = values.shape[0], values.shape[3 - unit_axis]
        self.first, self.by_sample, self.labels = first, by_sample, labels
        self._given, self._gradient, self._vectors = values, gradient, values.dim() == 4
        self._position_axis = 3 - unit_axis

    @functools.cached_property
    def _raw(self) -> torch.Tensor:
        return self._wide if self._vectors else self._given

    @functools.cached_property
    def _wide(self) -> torch.Tensor:
        if self._vectors:
            norms: torch.Tensor = torch.linalg.vector_norm(self._given, dim=3, dtype=torch.float64)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return norms  # pyright: ignore[reportUnknownVariableType]
        return self._given.double()

    def reduce(self, wanted: list[Reduction]) -> dict[Reduction, Numbers]:
        return reduced(self._raw, self._position_axis, wanted)

    def squares_apart(self, units: Positions, about: Numbers) -> Numbers:
        unit_axis = 3 - self._position_axis
        index = torch.from_numpy(units).to(self._raw.device)  # pyright: ignore[reportUnknownMemberType]
        centre = torch.from_numpy(about).to(self._raw.device)  # pyright: ignore[reportUnknownMemberType]
        apart = self._raw.index_select(unit_axis, index).double()
        apart -= centre[:, None] if unit_axis == 1 else centre
        return array_of_numbers(apart.square_().sum((0, self._position_axis)))

    def count_nonfinite(self) -> Numbers:
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
