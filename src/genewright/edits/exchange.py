"""Exchange: two tensors trade their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from genewright.edits.edit import Line, View
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.part import Part
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Exchange(ValueEdit):
    """Let two tensors of one shape and dtype trade their values, bit for bit; its own inverse.

    Attributes:
        tensor: The one tensor.
        other: The other.
        part: Which elements of both.
    """

    tensor: str
    other: str
    part: Part = ()

    def tensors(self) -> Sequence[str]:
        return (self.tensor, self.other)

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        other = views[0].tensor(self.other)
        if (tensor.shape, tensor.dtype) != (other.shape, other.dtype):
            raise self.mismatch(tensor, f"{other.name!r} is {other.dtype} of shape {other.shape}, not {tensor.dtype}")
        if tensor.name == other.name:
            raise self.mismatch(tensor, f"{self.other!r} is the same tensor")

    def apply(self, site: Site) -> None:
        first, _ = site.taken(0, self.tensor, self.part)
        second, _ = site.taken(0, self.other, self.part)
        site.write(self.tensor, self.part, second)
        site.write(self.other, self.part, first)

    def lines(self, view: View) -> Iterator[Line]:
        for line in super().lines(view):
            yield line
            yield replace(line, tensor=view.tensor(self.other).name, what=line.what.replace(self.other, self.tensor))

    def moves(self) -> bool:
        return True

    def words(self) -> str:
        return f"exchanged with {self.other}"
