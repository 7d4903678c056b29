"""Addition of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.part import Part

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Function):
    """new = old + by, with `by` rounded to the dtype that is computed in.

    Attributes:
        by: Numbers in the shape of the part.
    """

    by: Numbers

    def __call__(self, values: Any, given: Given) -> Any:
        if hasattr(values, "new_tensor"):  # an array of torch, on a device
            return values + values.new_tensor(self.by)
        return values + self.by.astype(values.dtype)

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        return "" if self.by.shape == shape else f"the constants have shape {self.by.shape}, the part has {shape}"

    def words(self) -> str:
        return "plus constants"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Add) and np.array_equal(self.by, other.by, equal_nan=True)

    def __hash__(self) -> int:
        return hash(self.by.tobytes())
