"""Which tables of positions are meant, and the edits that give one another shape."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from genewright.edits import Edit, Forget, Gather, Map, Place
from genewright.edits.functions import Resample
from genewright.errors import UnknownNameError, UnsupportedError
from genewright.index import Index
from genewright.names import did_you_mean, matches
from genewright.widths.positions import PositionTable, PositionTables
from genewright.widths.widths import Widths

Sides = tuple[int, ...]


def chosen_tables(widths: Widths, layer: str | None) -> list[PositionTable]:
    """Return the tables that are meant; those over one image belong together."""
    found = widths.positions()
    tables = list(found.learned)
    if layer is not None:
        named = [t for t in (*tables, *found.named) if matches(layer, t.layer) or matches(layer, t.tensor)]
        other = next(
            (one for one in found.others if matches(layer, one[0]) or matches(layer, one[0].rpartition(".")[0])), None
        )
        if not named and other is not None:
            raise UnsupportedError(f"ResizePositions: {other[0]!r} needs no other length: {other[1]}.")
        if not named:
            known = [name for table in tables for name in (table.layer, table.tensor)]
            raise UnknownNameError(f"No table of positions is in {layer!r}. {did_you_mean(layer, known)}")
        tables = named
    if not tables:
        raise UnsupportedError(f"ResizePositions: no learned table of positions was found{_reasons(found)}.")
    together = all(table.given for table in tables) and len({len(table.shape) for table in tables}) == 1
    if not together and len({(table.shape, table.first, bool(table.given)) for table in tables}) > 1:
        listed = ", ".join(f"{table.layer or table.tensor!r} ({words(table.shape)})" for table in tables[:8])
        raise UnknownNameError(f"Tables of several lengths hold positions. Name one, layer=...: {listed}.")
    return tables


def _reasons(found: PositionTables) -> str:
    """Return what is known of tables that were not taken for learned positions."""
    if found.others:
        return f" ({'; '.join(f'{name!r}: {reason}' for name, reason in found.others[:4])})"
    if found.named:
        listed = ", ".join(repr(table.layer or table.tensor) for table in found.named[:8])
        return (
            " in what ran on the example. A table that the model is told the positions for is named, layer=...: "
            f"{listed}"
        )
    return " in what ran on the example; one of two or more positions shows them"


def stretched_example(table: PositionTable, shape: Sides) -> Iterator[Gather]:
    """Yield what becomes of the example: as many old entries for each position, repeated or left out."""
    for one in table.given:
        size = one.size // table.shape[one.side] * shape[one.side]
        if size != one.size:
            yield Gather(
                width="the model's input",
                size=one.size,
                index=Index.of(np.arange(size) * one.size // size),
                inputs=(Place(str(one.tensor), one.axis),),
            )


def resampled(table: PositionTable, shape: Sides) -> Iterator[Edit]:
    """Yield what lays the table out anew: it grows first, and shrinks last."""
    if len(table.axes) == 1:
        sizes = [(table.first + table.count, table.first + math.prod(shape))]
    else:
        sizes = list(zip(table.shape, shape, strict=True))
    for at, (old, new) in enumerate(sizes):
        if new > old:
            yield gathered(table, at, old, new)
    yield Map(tensor=table.tensor, function=Resample(axes=table.axes, old=table.shape, new=shape, first=table.first))
    for at, (old, new) in enumerate(sizes):
        if new < old:
            yield gathered(table, at, old, new)
    yield Forget(tensor=table.tensor)


def gathered(table: PositionTable, at: int, old: int, new: int) -> Gather:
    """Return the edit that gives an axis of a table another length; new entries are zero.

    Args:
        table: The table.
        at: Which of its axes.
        old: The axis's length.
        new: Its new length.
    """
    return Gather(
        width=f"positions of {table.layer or table.tensor}",
        size=old,
        index=Index.of([place if place < old else -1 for place in range(new)]),
        new=Index.of(range(old, max(old, new))),
        places=(Place(table.tensor, table.axes[at]),),
    )


def words(shape: Sides) -> str:
    """Return a shape in words, as "4 x 6"."""
    return " x ".join(map(str, shape))


def call(shape: Sides) -> str:
    """Return the call that asks for a shape."""
    said = str(shape[0]) if len(shape) == 1 else f"({shape[0]}, {shape[1]})"
    return f"gw.ResizePositions({said})"
