"""What edits of a tensor's values share: the check of their part and dtype, and their line in a plan."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import final

from genewright.edits.edit import Edit, Line, View
from genewright.errors import EditError, UnsupportedError
from genewright.index import Index
from genewright.part import Part, fits, part_shape
from genewright.tensor import COMPLEX, FLOATS, Tensor


class ValueEdit(Edit, ABC):
    """Changes elements of one tensor, which keeps its shape.

    Derived classes have the fields `tensor`, a name, and `part`, the elements that may change.
    """

    tensor: str
    part: Part

    def tensors(self) -> Sequence[str]:
        return (self.tensor,)

    @final
    def check(self, views: Sequence[View]) -> None:
        tensor = views[0].tensor(self.tensor)
        if self.part and not fits(self.part, tensor.shape):
            raise self.mismatch(tensor, f"its part {self.part} does not exist")
        if tensor.dtype not in FLOATS and not self.takes(tensor.dtype):
            raise UnsupportedError(
                f"{tensor.name!r} has dtype {tensor.dtype}; operators change {', '.join(FLOATS)}. "
                f'Leave it out, if the operator has a where: where=("*", "!{tensor.name}").'
            )
        self.check_tensor(tensor, views)

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        """Refuse what does not fit the tensor beyond its part and dtype.

        Args:
            tensor: The tensor, as it is before anything changes.
            views: The network, then the donors.

        Raises:
            GenewrightError: It does not fit.
        """

    def lines(self, view: View) -> Iterator[Line]:
        tensor = view.tensor(self.tensor)
        expected = math.prod(part_shape(self.part, tensor.shape)) * self.rate()
        yield Line(tensor.name, tensor.shape, tensor.dtype, self.words() + part_words(self.part), expected)

    def takes(self, dtype: str) -> bool:
        """Return whether elements of this dtype can be changed so."""
        return dtype in FLOATS or self.moves()

    def moves(self) -> bool:
        """Whether it only moves elements as they are stored, so that any dtype will do."""
        return False

    def rate(self) -> float:
        """Return the expected share of the part's elements that change."""
        return 1.0

    @abstractmethod
    def words(self) -> str:
        """Say what happens to the elements."""

    def refuse_places(self, places: Index, tensor: Tensor) -> None:
        """Refuse places in row-major order that are not different elements of a tensor, or stand beside a part.

        Raises:
            EditError: They are, or do.
        """
        size = tensor.size * (2 if tensor.dtype in COMPLEX else 1)
        if places.size and (self.part or not places.within(0, size) or not places.distinct()):
            raise self.mismatch(tensor, f"its elements are not different numbers from 0 to {size - 1}, or not all")

    def mismatch(self, tensor: Tensor, fault: str) -> EditError:
        """Return the error for an edit that does not fit its tensor."""
        return EditError(f"{type(self).__name__} of {tensor.name!r} of shape {tensor.shape}: {fault}.")


def part_words(part: Part) -> str:
    """Say which elements a part holds, as an addition to a sentence."""
    chosen = [
        f"{len(positions)} positions of axis {axis}" for axis, positions in enumerate(part) if positions is not None
    ]
    return f", {' and '.join(chosen)}" if chosen else ""
