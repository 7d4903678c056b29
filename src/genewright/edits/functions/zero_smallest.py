"""The smallest elements become zero."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from genewright.edits.map import Function, Given
from genewright.part import Part


@dataclass(frozen=True, kw_only=True)
class ZeroSmallest(Function):
    """The `count` elements of the smallest |w| become +0; of equal ones those that come first in row-major order.

    NaN counts as the largest.

    Attributes:
        count: How many.
    """

    count: int

    def __call__(self, values: Any, given: Given) -> Any:
        flat = values.reshape(-1)
        stable = {"stable": True} if hasattr(flat, "new_tensor") else {"kind": "stable"}  # torch's array, or NumPy's
        order = abs(flat).argsort(**stable)
        flat[order[: self.count]] = 0
        return flat.reshape(values.shape)

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        return "" if 0 <= self.count <= prod(shape) else f"there are no {self.count} elements"

    def exact(self) -> bool:
        return True

    def words(self) -> str:
        return f"the {self.count:,} smallest become zero"
