"""New entries as the mean of the old ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genewright.edits.map import Function, Given
from genewright.index import Index
from genewright.part import Part


@dataclass(frozen=True, kw_only=True)
class MeanFill(Function):
    """Along an axis, each entry of `new` becomes the mean of all entries that are not in it.

    Computed in float64, by halves: the rows, filled up with zeros to a power of two, are added second half to first
    until one is left. So the sum has the same bits wherever it is computed.

    Attributes:
        axis: The axis.
        new: The positions that are filled.
    """

    axis: int
    new: Index

    def __call__(self, values: Any, given: Given) -> Any:
        rows = values.swapaxes(0, self.axis)
        fresh = set(self.new)
        old = [i for i in range(rows.shape[0]) if i not in fresh]
        double = rows[old].double() if hasattr(rows, "double") else rows[old].astype("float64")
        count = double.shape[0]
        half = 1 << (count - 1).bit_length() >> 1 if count > 1 else 0
        while half:
            double[: count - half] += double[half:count]
            count, half = half, half >> 1
        mean = double[:1] / len(old)
        rows[list(fresh)] = mean.to(rows.dtype) if hasattr(mean, "to") else mean
        return values

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if not 0 <= self.axis < len(shape) or not self.new.within(0, shape[self.axis]):
            return f"there is no axis {self.axis} with these entries"
        return "" if self.new.size < shape[self.axis] else "no entry is old"

    def words(self) -> str:
        return f"{len(self.new)} new entries along axis {self.axis} are the mean of the old ones"
