"""Tables of positions: parameters with an entry for every place of a sequence, or of a grid over an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genewright.widths.counts import Count


@dataclass(frozen=True)
class Given:
    """An axis of the example that is as long as the positions say.

    Attributes:
        tensor: The number of the example's tensor.
        axis: The axis.
        side: Which side of the grid it is.
        size: Its length.
    """

    tensor: int
    axis: int
    side: int
    size: int


@dataclass(frozen=True)
class PositionTable:
    """A learned table of positions.

    Attributes:
        layer: The layer that holds it; "" is the model.
        tensor: The tensor's name.
        axes: The axis along which positions lie; two for a grid whose rows and columns have an axis each.
        shape: (length,) of a sequence, (rows, columns) of a grid.
        first: Entries before them along the axis: class tokens, or an offset.
        given: What of the example has to follow; () where the model takes whatever is shorter.
    """

    layer: str
    tensor: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    first: int = 0
    given: tuple[Given, ...] = ()

    @property
    def count(self) -> int:
        """Return how many positions there are."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class PositionTables:
    """What a network knows of positions.

    Attributes:
        learned: The tables that can have another length.
        others: Names of other tables of positions, with the reason why none of them has a length to change.
        named: Tables looked up by numbers that the model is given: of positions where the caller says so.
        counted: Names of all tensors that are looked up by numbers which the model makes by itself.
        beside: Names and lengths of buffers that are looked up by numbers that the model is given.
    """

    learned: tuple[PositionTable, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    named: tuple[PositionTable, ...] = ()
    counted: tuple[str, ...] = ()
    beside: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class PositionCounts:
    """What beside the tables says how many positions there are.

    Attributes:
        follow: Attributes, with their new values.
        buffers: (layer, name, old length, new length) of numbers and masks kept ready.
    """

    follow: tuple[Count, ...] = ()
    buffers: tuple[tuple[str, str, int, int], ...] = ()
