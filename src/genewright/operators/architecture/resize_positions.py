"""Longer or shorter sequences, larger or smaller images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from genewright.edits import ContinueBuffer, Edit, Map, SetAttribute
from genewright.edits.functions import MeanFill
from genewright.errors import SettingError, UnsupportedError
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.gather_units import draw
from genewright.operators.architecture.position_edits import (
    Sides,
    call,
    chosen_tables,
    gathered,
    resampled,
    stretched_example,
    words,
)
from genewright.part import along
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer
from genewright.widths.positions import PositionTable
from genewright.widths.widths import Widths


@dataclass(frozen=True, kw_only=True)
class ResizePositions(Operator):
    """Give learned positions another length: tables, what counts and masks them, image sizes and config together.

    P' = R P with the matrix R that resamples, where how="interpolate"; P' = [P, V] where how="extend".

    | how | P' |
    |---|---|
    | "interpolate" | the table between its points (half-pixel centres): linear along a sequence, bicubic over a grid |
    | "extend" | [P, V], with V as `init` says; P[:length] where it becomes shorter |

    Entries before the positions (class tokens, the offset of OPT, the padding row of RoBERTa) stay and are not counted.
    "extend" keeps what the model puts out at the lengths that it took. A grid lies over images of one size: the
    model takes others then, and the example is stretched to them. All tables of one length change together.
    Relative positions (T5's distances, Swin's windows) depend on no length, and need no change.

    Args:
        length: How many positions there are then: a number for a sequence, (rows, columns) for a grid of patches; None
            for one more (along each side).
        how: "interpolate" or "extend"; the latter for sequences.
        init: What "extend" fills new positions with: the "mean" of the old ones, "zero", or "noise" at their spread.
        layer: The layer that holds the table, or a pattern; None where all tables are of one length.

    Raises:
        SettingError: A setting is out of its range, nothing would change, or a number was given for a grid.
        UnknownNameError: Tables of several lengths could be meant; they are listed.
        UnsupportedError: There are no learned positions, or something else keeps their number; the reason is named.

    Example:
        >>> import torch, genewright as gw
        >>> class Reader(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.words, self.places = torch.nn.Embedding(9, 4), torch.nn.Embedding(6, 4)
        ...     def forward(self, x):
        ...         return self.words(x) + self.places(torch.arange(x.shape[1]))
        >>> net, short, long = Reader(), torch.zeros(1, 5, dtype=torch.long), torch.zeros(1, 12, dtype=torch.long)
        >>> longer = gw.mutate(net, gw.ResizePositions(12, how="extend"), seed=1, example=short)
        >>> longer.places.num_embeddings, longer(long).shape[1], torch.equal(longer(short), net(short))
        (12, 12, True)

    References:
        Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, arXiv:2010.11929, section 3.2 (2-D interpolation at
        another resolution); Chen et al., "Extending Context Window of Large Language Models via Positional
        Interpolation", 2023, arXiv:2306.15595 (the same along a sequence).
    """

    length: int | tuple[int, int] | None = field(default=None, kw_only=False)
    how: Literal["interpolate", "extend"] = "interpolate"
    init: Literal["mean", "zero", "noise"] = "mean"
    layer: LayerSetting = NO_LAYER

    def __post_init__(self) -> None:
        check_choice(self, "how", self.how, ("interpolate", "extend"))
        check_choice(self, "init", self.init, ("mean", "zero", "noise"))
        length: Any = self.length
        if isinstance(length, tuple | list):
            sides = cast("Sequence[Any]", length)
            if len(sides) != 2:  # rows and columns
                raise SettingError(f"ResizePositions: length is a number or (rows, columns); received {length!r}.")
            for side in sides:
                check_integer(self, "length", side, low=1)
            object.__setattr__(self, "length", tuple(sides))
        elif length is not None:
            check_integer(self, "length", length, low=1)

    def claims(self) -> frozenset[str]:
        return frozenset({"function"}) if self.how == "extend" else frozenset()

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every table, of the example, and of the numbers and buffers that follow."""
        network = networks[0]
        widths: Widths = network.structure.widths
        changes = self._changes(chosen_tables(widths, self.layer))
        counts = widths.position_counts(changes)
        yield from stretched_example(*changes[0])
        for table, shape in changes:
            if self.how == "extend":
                yield from self._extended(table, shape[0], network)
            else:
                yield from resampled(table, shape)
        for layer, name, old, new in counts.buffers:
            yield ContinueBuffer(layer=layer, attribute=name, size=old, new=new)
        for one in counts.follow:
            yield SetAttribute(layer=one.layer, attribute=one.path, value=one.new)

    def _changes(self, tables: Sequence[PositionTable]) -> list[tuple[PositionTable, Sides]]:
        """Return every table with its new shape; those of other stages of a pyramid in the same ratio."""
        first = tables[0]
        wanted = self._shape(first)
        if self.how == "extend" and first.given:
            raise UnsupportedError(
                f"ResizePositions: {first.tensor!r} holds the positions of inputs of one size, so that nothing at the "
                f"old size could stay; {call(wanted)} interpolates."
            )
        changes: list[tuple[PositionTable, Sides]] = []
        for table in tables:
            sides = list(zip(table.shape, wanted, first.shape, strict=True))
            if any(old * new % base for old, new, base in sides):
                raise UnsupportedError(
                    f"ResizePositions: {first.tensor!r} with {words(wanted)} positions would leave "
                    f"{table.tensor!r} no whole number of them: it has {words(table.shape)} for {words(first.shape)}."
                )
            changes.append((table, tuple(old * new // base for old, new, base in sides)))
        return changes

    def _shape(self, table: PositionTable) -> Sides:
        old, length = table.shape, self.length
        if length is None:
            return tuple(side + 1 for side in old)
        if len(old) > 1 and isinstance(length, int):
            side = math.isqrt(length)
            sides = (side, side) if side * side == length else (length, length)
            raise SettingError(
                f"ResizePositions: the positions in {table.tensor!r} are a grid of {words(old)}; received the number "
                f"{length}. Say rows and columns: {call(sides)}."
            )
        if len(old) == 1 and not isinstance(length, int):
            raise SettingError(
                f"ResizePositions: the positions in {table.tensor!r} are a sequence of {old[0]}; received {length}. "
                f"Say a number: {call((length[0],))}."
            )
        shape = (length,) if isinstance(length, int) else tuple(length)
        if shape == old:
            raise SettingError(f"ResizePositions: there are {words(old)} positions already. Say another length.")
        return shape

    def _extended(self, table: PositionTable, length: int, network: Network) -> Iterator[Edit]:
        old, size, axis = table.first + table.count, table.first + length, table.axes[0]
        moved = gathered(table, 0, old, size)
        yield moved
        new = np.arange(old, size)
        if not len(new) or self.init == "zero":
            return
        if self.init == "noise":
            yield draw(moved, moved.places[0], network)
            return
        counted = np.arange(table.first, size)  # what stands before the positions is none of them
        fresh = Index.of(new - table.first)
        part = along(axis, counted) if table.first else ()
        yield Map(tensor=table.tensor, function=MeanFill(axis=axis, new=fresh), part=part)
