"""ContinueBuffer: numbers of positions and masks over them that a layer keeps ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from genewright.edits.edit import Edit, Line, View
from genewright.edits.site import Site
from genewright.errors import EditError


@dataclass(frozen=True, kw_only=True)
class ContinueBuffer(Edit):
    """Let a buffer that counts or masks positions have another length, by the rule that its values follow.

    Numbers that go up go on going up, one value everywhere stays that, and a mask whose entries depend on the distance
    of two positions alone (a triangle, a window) goes on along its diagonals. Its elements are no weights, and it may
    be no part of the state: so it is named by its layer.

    Attributes:
        layer: The layer that holds it.
        attribute: Its name there.
        size: The old length; every axis that has it changes.
        new: The new length.
    """

    shapes: ClassVar[bool] = True

    layer: str
    attribute: str
    size: int
    new: int

    def check(self, views: object) -> None:
        if self.size < 1 or self.new < 1:
            raise EditError(f"ContinueBuffer of {self.attribute!r} in {self.layer!r}: lengths are at least 1.")

    def lines(self, view: View) -> Iterator[Line]:
        yield Line(self.layer, (), "", f"{self.attribute} goes on, {self.size} -> {self.new} positions")

    def apply(self, site: Site) -> None:
        site.store.restructure(self)
