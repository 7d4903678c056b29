"""Columns that take over removed ones as a combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.index import Index
from genewright.part import Part

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Absorb(Function):
    """Along an axis, column' of each kept unit = column + sum over removed units of share * removed column.

    The terms are added in the order of `gone`, one after the other.

    Attributes:
        axis: The axis.
        units: For each position along it the unit that it belongs to.
        kept: The units that stay, one for each row of `share`.
        gone: The units that go, one for each column of `share`.
        share: The coefficients.
    """

    axis: int
    units: Index
    kept: Index
    gone: Index
    share: Numbers

    def __call__(self, values: Any, given: Given) -> Any:
        rows = values.swapaxes(0, self.axis)
        units = self.units.array
        order = np.argsort(units, kind="stable")
        counts = np.bincount(units[units >= 0])
        each = int(counts.max()) if len(counts) else 0
        places = order[len(units) - int((units >= 0).sum()) :].reshape(-1, each)  # a row a unit
        kept = places[self.kept.array]
        shape = (-1, *(1,) * (len(rows.shape)))
        for column, unit in enumerate(self.gone):
            share = self.share[:, column].reshape(shape)
            share = rows.new_tensor(share) if hasattr(rows, "new_tensor") else share.astype(rows.dtype)
            rows[kept] = rows[kept] + share * rows[places[unit]][None]
        return values

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if not 0 <= self.axis < len(shape) or self.units.size != shape[self.axis]:
            return f"{self.units.size} positions are not those of axis {self.axis}"
        if self.share.shape != (self.kept.size, self.gone.size) or not self.units.within(-1, shape[self.axis]):
            return "its coefficients do not fit its units"
        counts = np.bincount(self.units.array[self.units.array >= 0], minlength=1)
        inside = all(each.within(0, len(counts)) for each in (self.kept, self.gone))
        even = inside and len({int(counts[unit]) for each in (self.kept, self.gone) for unit in each}) <= 1
        return "" if even and (counts == counts.max()).all() else "its units do not have equally many positions"

    def words(self) -> str:
        return f"columns of {len(self.gone)} units taken over along axis {self.axis}, by least squares"

    def __eq__(self, other: object) -> bool:
        mine = (self.axis, self.units, self.kept, self.gone)
        return (
            isinstance(other, Absorb)
            and mine == (other.axis, other.units, other.kept, other.gone)
            and np.array_equal(self.share, other.share, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash((self.axis, self.kept, self.share.tobytes()))
