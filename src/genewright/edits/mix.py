"""Mix: elements of two tensors, of this network and of a donor, weighed or chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genewright.edits.copy import refuse_other_shapes
from genewright.edits.edit import View
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.elements import decoded
from genewright.noise import mask
from genewright.part import Part, grid
from genewright.tensor import COMPLEX, Tensor


@dataclass(frozen=True, kw_only=True)
class Mix(ValueEdit):
    """w' = own * w + other * v for a share of the elements, w this tensor's and v those of the source.

    Where `own` is 0, the elements are `other` * v whatever w is, NaN included.

    Attributes:
        tensor: The tensor that is written.
        source: The tensor that is read.
        part: The elements that are written.
        source_part: The elements that are read, of the same shape.
        of: Whose tensor is read: 0 is this network, 1 the first donor, and so on.
        own: The factor of the old values.
        other: The factor of the source's.
        chosen: With which probability an element changes, in [0, 1].
        stream: Name of the random words that choose, within the step's noise; needed where `chosen` is below 1.
    """

    tensor: str
    source: str
    part: Part = ()
    source_part: Part = ()
    of: int = 0
    own: float = 0.0
    other: float = 1.0
    chosen: float = 1.0
    stream: str | None = None

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        refuse_other_shapes(self, views)
        if not math.isfinite(self.own) or not math.isfinite(self.other):
            raise self.mismatch(tensor, f"its factors {self.own} and {self.other} are not finite")
        if not 0 <= self.chosen <= 1:
            raise self.mismatch(tensor, f"a share lies in [0, 1], and {self.chosen} does not")
        if self.chosen < 1 and self.stream is None:
            raise self.mismatch(tensor, "a share of the elements is chosen, and no stream is named")

    def apply(self, site: Site) -> None:
        stored, dtype = site.taken(self.of, self.source, self.source_part)
        theirs = decoded(stored, dtype)
        shape = site.store.tensor(self.tensor).shape
        changes = None
        if self.chosen < 1 and self.stream is not None:
            drawn = np.zeros(math.prod(shape), np.bool_)
            drawn[mask(site.noise.stream(self.stream), self.chosen, drawn.size)] = True
            changes = drawn.reshape(shape)[grid(self.part, shape)]  # an element's draw is the same in every part
        site.rewrite(self.tensor, self.part, lambda old: self._mixed(old, theirs, changes))

    def takes(self, dtype: str) -> bool:
        return super().takes(dtype) or dtype in COMPLEX

    def rate(self) -> float:
        return self.chosen

    def words(self) -> str:
        of = f" of donor {self.of}" if self.of else ""
        if not self.own:
            return f"{self.other:g} * {self.source}{of}" if self.other != 1 else f"{self.source}{of}"
        return f"{self.own:.4g} * w + {self.other:.4g} * {self.source}{of}"

    def _mixed(self, old: Any, theirs: Any, changes: Any) -> Any:
        on_device = hasattr(old, "new_tensor")
        theirs = old.new_tensor(theirs) if on_device else theirs.astype(old.dtype)
        mixed = theirs * self.other if not self.own else old * self.own + theirs * self.other
        if changes is None:
            return mixed
        if not np.ndim(changes):  # one number
            return mixed if changes else old
        at = np.nonzero(changes)
        old[at] = mixed[at]
        return old
