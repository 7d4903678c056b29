"""Write: a function of somebody else's operator. It is no data, so its step is replayed by the operator itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.elements import encoded
from genewright.errors import EditError, RecipeError
from genewright.part import Part


@dataclass(frozen=True, kw_only=True)
class Write(ValueEdit):
    """Write a function of the old values into a tensor.

    No operator of this library uses it: prefer `Map`, `Assign`, `Copy` and `Gather`, which a recipe can hold.

    Attributes:
        tensor: The tensor's name.
        values: A function that takes the part's values (float32, or float64 for a float64 tensor; read-only) and
            returns the new ones, of the same shape. They are rounded once, to nearest.
        part: The elements that are written.
        stored: The function takes and returns elements as they are stored (float16 as such, bfloat16 as uint16): for
            moving them, bit for bit. Any dtype will do then.
        summary: What happens, in a few words, for the plan.
    """

    data: ClassVar[bool] = False

    tensor: str
    values: Callable[[NDArray[Any]], NDArray[Any]]
    part: Part = ()
    stored: bool = False
    summary: str = "write"

    def can_fail_late(self) -> bool:
        return True

    def apply(self, site: Site) -> None:
        tensor = site.store.tensor(self.tensor)
        old, number = site.numbers(self.tensor, self.part, stored=self.stored)
        old.flags.writeable = False
        new = np.asarray(self.values(old))
        if new.shape != old.shape or (self.stored and new.dtype != old.dtype):
            raise EditError(
                f"Write of {tensor.name!r}: its function returned shape {new.shape} and dtype {new.dtype} "
                f"for shape {old.shape} and dtype {number}."
            )
        site.write(self.tensor, self.part, new if self.stored else encoded(new, tensor.dtype))

    def moves(self) -> bool:
        return self.stored

    def words(self) -> str:
        return self.summary

    def to_form(self) -> dict[str, Any]:
        raise RecipeError("A function is no data: this step is replayed by its operator.")
