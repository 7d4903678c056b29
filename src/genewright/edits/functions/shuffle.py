"""A shuffle of each unit's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from genewright.edits.map import Function, Given
from genewright.noise import permutation
from genewright.part import Part


@dataclass(frozen=True, kw_only=True)
class Shuffle(Function):
    """Permute the elements of every unit of the part among themselves, each unit by a permutation of its own.

    Attributes:
        axis: The axis of the units; the part names them.
    """

    stored: ClassVar[bool] = True

    axis: int

    def __call__(self, values: Any, given: Given) -> Any:
        units = given.part[self.axis] if len(given.part) > self.axis else None
        rows = values.swapaxes(0, self.axis)
        assert given.stream is not None
        for row, unit in enumerate(range(rows.shape[0]) if units is None else units):
            flat = rows[row].reshape(-1)
            rows[row] = flat[permutation(given.stream, len(flat), unit)].reshape(rows.shape[1:])
        return values

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        return "" if 0 <= self.axis < len(shape) else f"there is no axis {self.axis}"

    def words(self) -> str:
        return "incoming weights shuffled"

    def exact(self) -> bool:
        return True
