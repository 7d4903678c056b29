"""Forget: what an optimizer knows of elements starts again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from genewright.edits.edit import Edit, Line, View
from genewright.edits.site import Site
from genewright.edits.values import part_words
from genewright.errors import EditError
from genewright.part import Part, fits


@dataclass(frozen=True, kw_only=True)
class Forget(Edit):
    """Let what optimizers hold of some elements of a tensor start again; the tensor itself stays as it is.

    First moments become zero. Second moments become the mean of the tensor's others, as those of new units do: from
    zero, the first steps of Adam would be too large. Where nothing is in training, nothing happens.

    Attributes:
        tensor: The tensor's name.
        part: The elements.
    """

    tensor: str
    part: Part = ()

    def tensors(self) -> Sequence[str]:
        return (self.tensor,)

    def check(self, views: Sequence[View]) -> None:
        tensor = views[0].tensor(self.tensor)
        if not fits(self.part, tensor.shape):
            raise EditError(f"Forget of {tensor.name!r} of shape {tensor.shape}: its part {self.part} does not exist.")

    def lines(self, view: View) -> Iterator[Line]:
        tensor = view.tensor(self.tensor)
        what = f"an optimizer's moments start again{part_words(self.part)}"
        yield Line(tensor.name, (), "", what)

    def apply(self, site: Site) -> None:
        site.store.forget(self.tensor, self.part)
