"""Edit: one thing that becomes of a network, as data. Each kind stands in one file with its check, words and effect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from genewright.edits.json_form import JsonSerializable
from genewright.tensor import Tensor

if TYPE_CHECKING:
    from genewright.edits.site import Site


class View(Protocol):
    """What an edit has to know of a network to be checked and told."""

    def tensor(self, name: str) -> Tensor:
        """Return what is known of a tensor, by any of its names."""
        ...


@dataclass(frozen=True)
class Line:
    """One line of a plan.

    Attributes:
        tensor: The tensor's name; the layer's where a layer changes.
        shape: Its shape.
        dtype: Its dtype ("" for a layer).
        what: What happens to it.
        expected: How many of its elements are expected to change.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: str
    what: str
    expected: float = 0


class Edit(JsonSerializable, ABC):
    """One thing that becomes of a network.

    It names tensors, layers or a width, and computes nothing until it is applied. Derive,
    decorate with a frozen, keyword-only dataclass whose fields `genewright.edits.json_form` can write, and define its
    check, words and effect.

    Attributes:
        wiring: It changes layers or how they are joined, so that names may come and go.
        shapes: It is one of those that rebuild a mutant's layers and shapes, to read its weights from a file.
        data: It has a JSON form; only an edit that carries somebody's function has none.
    """

    wiring: ClassVar[bool] = False
    shapes: ClassVar[bool] = False
    data: ClassVar[bool] = True

    def tensors(self) -> Sequence[str]:
        """Return the names of the tensors that it changes."""
        return ()

    def changes_structure(self) -> bool:
        """Whether layers, wiring, shapes or attributes change."""
        return self.shapes

    def rounds(self, view: View) -> bool:
        """Whether what an operator keeps exactly in real numbers is here rounded to the tensor's dtype."""
        return False

    def can_fail_late(self) -> bool:
        """Whether it may fail after its first byte has changed, though `check` let it pass."""
        return self.shapes

    def nbytes(self, view: View) -> int:
        """Return the bytes of the tensors that it asks for, before any are asked for."""
        return 0

    def check(self, views: Sequence[View]) -> None:
        """Refuse what cannot be applied, before anything changes.

        Args:
            views: The network, then the donors.

        Raises:
            GenewrightError: It does not fit; the message names the tensor or layer.
        """

    @abstractmethod
    def lines(self, view: View) -> Iterator[Line]:
        """Yield what a plan says of it."""

    @abstractmethod
    def apply(self, site: Site) -> None:
        """Do it."""

    def to_json(self) -> dict[str, Any]:
        """Return ``{"edit": name, ...}`` with the fields that are not as by default."""
        return {"edit": self.name, **self.to_form()}
