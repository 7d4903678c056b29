"""Assign: explicit numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits.edit import View
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.elements import decoded, encoded
from genewright.part import Part, part_shape
from genewright.tensor import Tensor

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Assign(ValueEdit):
    """Write numbers into a part of a tensor, rounded once to its dtype.

    Attributes:
        tensor: The tensor's name.
        values: Numbers in the shape of the part.
        part: The elements that are written.
    """

    tensor: str
    values: Numbers
    part: Part = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.array(self.values, np.float64))
        self.values.flags.writeable = False

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        shape = part_shape(self.part, tensor.shape)
        if self.values.shape != shape:
            raise self.mismatch(tensor, f"its values have shape {self.values.shape}, the part has {shape}")

    def apply(self, site: Site) -> None:
        dtype = site.store.tensor(self.tensor).dtype
        once = decoded(encoded(self.values, dtype), dtype)  # a half by way of float32 would be rounded twice
        site.rewrite(self.tensor, self.part, lambda old: _written(old, once))

    def words(self) -> str:
        return "assigned"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Assign)
            and (self.tensor, self.part) == (other.tensor, other.part)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash((self.tensor, self.values.tobytes()))


def _written(old: Any, values: NDArray[Any]) -> Any:
    old[...] = old.new_tensor(values) if hasattr(old, "new_tensor") else values
    return old
