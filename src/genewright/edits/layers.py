"""What edits of layers and wiring share: the layers that they name, and their line in a plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from genewright.edits.edit import Edit, Line, View
from genewright.edits.site import Site


class LayerEdit(Edit, ABC):
    """Changes layers or wiring; the backend carries it out."""

    wiring: ClassVar[bool] = True
    shapes: ClassVar[bool] = True

    def lines(self, view: View) -> Iterator[Line]:
        yield Line(self.subject(), (), "", self.words())

    def apply(self, site: Site) -> None:
        site.store.restructure(self)

    @abstractmethod
    def subject(self) -> str:
        """Return the name of the layer that a plan lists it under."""

    @abstractmethod
    def words(self) -> str:
        """Say what happens to that layer."""
