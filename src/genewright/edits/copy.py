"""Copy: elements of one tensor into another, of this network or of a donor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from genewright.edits.edit import View
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.elements import decoded, encoded
from genewright.errors import EditError, UnsupportedError
from genewright.part import Part, fits, part_shape
from genewright.tensor import FLOATS, Tensor


@dataclass(frozen=True, kw_only=True)
class Copy(ValueEdit):
    """Copy a part of one tensor into a part of another, bit for bit where their dtypes agree, else rounded once.

    Attributes:
        tensor: The tensor that is written.
        source: The tensor that is read; it may be the same one.
        part: The elements that are written.
        source_part: The elements that are read, of the same shape.
        of: Whose tensor is read: 0 is this network, 1 the first donor, and so on.
        keep_zeros: Elements that are zero stay so.
    """

    tensor: str
    source: str
    part: Part = ()
    source_part: Part = ()
    of: int = 0
    keep_zeros: bool = False

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        refuse_other_shapes(self, views)

    def apply(self, site: Site) -> None:
        values, dtype = site.taken(self.of, self.source, self.source_part)
        own = site.store.tensor(self.tensor).dtype
        moved = values if dtype == own else encoded(decoded(values, dtype), own)
        if self.keep_zeros:
            old, _ = site.taken(0, self.tensor, self.part)
            moved = np.where(decoded(old, own) == 0, old, moved)
        site.write(self.tensor, self.part, moved)

    def moves(self) -> bool:
        return True

    def words(self) -> str:
        of = f" of donor {self.of}" if self.of else ""
        return f"copied from {self.source}{of}" + (", zeros stay" if self.keep_zeros else "")


class _Reading(Protocol):
    """An edit that reads a part of another tensor."""

    @property
    def tensor(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def part(self) -> Part: ...
    @property
    def source_part(self) -> Part: ...
    @property
    def of(self) -> int: ...


def refuse_other_shapes(edit: _Reading, views: Sequence[View]) -> None:
    """Refuse a source that is not there, or whose part has another shape or kind of dtype than what is written.

    Raises:
        EditError: There is no such donor, or the shapes differ.
        UnsupportedError: The dtypes differ, and are not both of real numbers.
    """
    who = type(edit).__name__
    if not 0 <= edit.of < len(views):
        raise EditError(f"{who} of {edit.source!r}: there is no donor {edit.of}; there are {len(views) - 1}.")
    tensor, source = views[0].tensor(edit.tensor), views[edit.of].tensor(edit.source)
    given, taken = part_shape(edit.part, tensor.shape), part_shape(edit.source_part, source.shape)
    if not fits(edit.source_part, source.shape) or given != taken:
        raise EditError(
            f"{who} of {source.name!r} of shape {source.shape} into {tensor.name!r} of shape {tensor.shape}: the "
            f"part that is read has shape {taken}, the part that is written {given}."
        )
    if tensor.dtype != source.dtype and not {tensor.dtype, source.dtype} <= set(FLOATS):
        raise UnsupportedError(
            f"{source.name!r} of dtype {source.dtype} cannot be copied into {tensor.name!r} of dtype {tensor.dtype}."
        )
