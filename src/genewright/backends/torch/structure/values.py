"""What is known of a tensor while a recording is read: its axes, and which parameter axes those are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from genewright.widths.axes import ONE, Axis, Leaf, size_of
from genewright.widths.reasons import Reason

Tag = tuple[str, int]
"""An axis of a parameter: its name and the axis."""

Source = Literal["constant", "weight", "data"]
_ORDER: tuple[Source, ...] = ("constant", "weight", "data")


@dataclass(frozen=True, eq=False)
class Dim:
    """One axis of a tensor.

    Attributes:
        axis: Its layout.
        tags: The parameter axes that it is, while the tensor is still a parameter in another shape.
    """

    axis: Axis
    tags: frozenset[Tag] = frozenset()

    @property
    def size(self) -> int:
        """Return the length."""
        return size_of(self.axis)


@dataclass(eq=False)
class Value:
    """A tensor.

    Attributes:
        dims: Its axes.
        source: Whether it depends on the input, on parameters only, or on neither.
        direct: It is a parameter, at most in another shape.
        base: The tensor that it is a view of.
    """

    dims: tuple[Dim, ...]
    source: Source = "data"
    direct: bool = False
    base: Value | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the lengths of the axes."""
        return tuple(dim.size for dim in self.dims)

    def with_dims(self, dims: Iterable[Dim]) -> Value:
        """Return a view of this tensor with other axes."""
        return replace(self, dims=tuple(dims), base=self)

    def becomes(self, source: Source) -> None:
        """Note what was written into the tensor, and so into what it is a view of."""
        value: Value | None = self
        while value is not None:
            value.source = strongest((value.source, source))
            value.direct = False
            value = value.base


def strongest(sources: Iterable[Source]) -> Source:
    """Return "data" where any is, else "weight" where any is."""
    found: Source = "constant"
    for source in sources:
        found = source if _ORDER.index(source) > _ORDER.index(found) else found
    return found


def fresh(size: int, reason: Reason | None = None) -> Dim:
    """Return an axis of its own; pinned where there is a reason."""
    if size == 1:
        return Dim(ONE)
    return Dim(Leaf(size, pins=[reason] if reason else []))
