"""Tables of positions in a module: looked up by counted numbers, sliced to the length of a sequence, or added whole.

Where they stand is read off the recorded run; by which numbers a table is looked up, one run on the example shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.structure.looked_up_numbers import (
    LOOKUPS,
    counts_up,
    looked_up_numbers,
    numbers_of,
)
from genewright.backends.torch.structure.propagation import Propagation, refs_of
from genewright.backends.torch.structure.record import Call, Recording, Ref
from genewright.backends.torch.tensors import Member
from genewright.widths.axes import Axis, Leaf, Product, Sum, leaves, resolve, size_of
from genewright.widths.positions import Given, PositionTable, PositionTables
from genewright.widths.reasons import Cause

# What comes of these no longer tells which token it was: comparisons and what counts them.
_COUNTED = {"cumsum", "ne", "eq", "ge", "gt", "le", "lt", "arange", "zeros_like", "ones_like", "full_like"}
_FILLED = {"new_zeros", "new_ones", "new_full"}
_LOOKS = {"unsqueeze", "expand", "_to_copy", "alias", "squeeze", "detach", "view", "_unsafe_view"}
_ATEN = "aten."
_IMAGE = 4  # axes of a batch of images
_SEQUENCE = 3  # axes of a batch of sequences


def position_tables(
    model: nn.Module, example: Any, recording: Recording, reading: Propagation, members: Mapping[str, Member]
) -> PositionTables:
    """Return the tables of positions of a module.

    Args:
        model: The module; what one run of it leaves behind is taken back.
        example: What it was run on.
        recording: That run.
        reading: What it says of axes.
        members: The module's tensors.
    """
    return _Search(model, example, recording, reading, members).found()


@dataclass
class _Search:
    model: nn.Module
    example: Any
    recording: Recording
    reading: Propagation
    members: Mapping[str, Member]

    def __post_init__(self) -> None:
        self._made: dict[Ref, Call] = {ref: call for call in self.recording.calls for ref in refs_of(call.outputs)}
        self._others: dict[str, str] = {}
        self._words: dict[str, PositionTable] = {}
        self._beside: dict[str, int] = {}

    def found(self) -> PositionTables:
        tables: dict[str, PositionTable] = {}
        lookups = dict(self._lookups())
        tensors = {name: self.members[name].same for name in lookups}
        values = looked_up_numbers(self.model, self.example, tensors)
        for name, axes in lookups.items():
            table = self._looked_up(name, axes, values.get(name, []))
            if table is not None:
                tables.setdefault(name, table)
        for table in (*self._sliced(), *self._added()):
            tables.setdefault(table.tensor, table)
        others = tuple((name, why) for name, why in self._others.items() if name not in tables)
        return PositionTables(
            tuple(tables.values()), others, tuple(self._words.values()), tuple(lookups), tuple(self._beside.items())
        )

    def _lookups(self) -> list[tuple[str, tuple[Axis, ...]]]:
        """Yield the parameters that are looked up by numbers that no token says, and the axes of these numbers."""
        found: list[tuple[str, tuple[Axis, ...]]] = []
        for call, (_, results) in zip(self.recording.calls, self.reading.results, strict=True):
            if call.name not in LOOKUPS or not results:
                continue
            table, numbers = call.args[0], numbers_of(call.name, call.args)
            if isinstance(table, Ref) and isinstance(numbers, Ref) and self._is_parameter(table):
                found.append((table.name, results[0][: len(numbers.shape)]))
                if self._tells_tokens(numbers):
                    layer = self.members[table.name].layer
                    self._words[table.name] = PositionTable(layer, table.name, (0,), (table.shape[0],))
            elif isinstance(table, Ref) and isinstance(numbers, Ref) and self._is_buffer(table):
                self._beside |= {table.name: table.shape[0]} if self._tells_tokens(numbers) else {}
        return [(name, axes) for name, axes in found if name not in self._words]

    def _tells_tokens(self, ref: Ref) -> bool:
        """Whether a tensor is made of the values of the model's input, and not of a count over them."""
        waiting, seen = [ref], set[Ref]()
        while waiting:
            one = waiting.pop()
            if one.origin == "input":
                return True
            call = self._made.get(one)
            if one in seen or call is None or call.name.removeprefix(_ATEN) in _COUNTED | _FILLED:
                continue
            seen.add(one)
            waiting += refs_of((call.args, tuple(call.kwargs.values())))
        return False

    def _looked_up(self, name: str, axes: tuple[Axis, ...], seen: list[NDArray[np.int64]]) -> PositionTable | None:
        member = self.members[name]
        padding = getattr(member.owner, "padding_idx", None)
        if not seen or not all(counts_up(numbers, padding) for numbers in seen):
            rows = bool(seen) and any(len(np.unique(numbers)) > 1 for numbers in seen)
            if rows:
                self._others[name] = "it is looked up by distances or kinds, which no length changes"
            return None
        if "sinus" in type(member.owner).__name__.lower():
            self._others[name] = "its sines are computed when the model is made, for the length that its config says"
            return None
        size = int(member.tensor.shape[0])
        grid = _grid(axes[-1]) if axes else None
        if grid is not None and grid[0] + int(np.prod(grid[1])) == size:
            return self._on_image(name, (0,), *grid)
        lowest = min(int(numbers[numbers != padding].min()) for numbers in seen)
        offset = getattr(member.owner, "offset", None)
        first = offset if isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0 else lowest
        return PositionTable(member.layer, name, (0,), (size - first,), first)

    def _sliced(self) -> Iterator[PositionTable]:
        """Yield parameters of which a run takes as many entries as its sequence has."""
        for call in self.recording.calls:
            table = call.args[0] if call.name == "aten.slice" else None
            if not isinstance(table, Ref):
                continue
            source, axis = self._parameter_behind(table), int(call.args[1]) if len(call.args) > 1 else 0
            start = call.args[2] if len(call.args) > 2 and call.args[2] is not None else 0  # (self, dim, start, end)
            end = call.args[3] if len(call.args) > 3 else None
            size = table.shape[axis % len(table.shape)]
            if source is None or end is None or end > 2 * size or len(source.shape) != len(table.shape) or start < 0:
                continue
            axis %= len(table.shape)
            parts = _parts(self.reading.parameters[source.name].dims[axis].axis)
            taken = [part for part in parts if _pinned(part, Cause.INPUT)]
            if len(taken) == 1 and self._is_added(call):
                if self._is_parameter(source):
                    layer = self.members[source.name].layer
                    yield PositionTable(layer, source.name, (axis,), (size - start,), start)
                else:
                    self._others[source.name] = "it is a buffer, computed when the model is made, and not learned"

    def _is_added(self, call: Call) -> bool:
        """Whether what a call returns is added to something, perhaps in another form."""
        wanted = set(refs_of(call.outputs))
        for other in self.recording.calls:
            if wanted.isdisjoint(refs_of(other.args)):
                continue
            if other.name in ("aten.add", "aten.add_"):
                return True
            if other.name.removeprefix(_ATEN) in _LOOKS or other.name == "aten.slice":
                wanted |= set(refs_of(other.outputs))
        return False

    def _added(self) -> Iterator[PositionTable]:
        """Yield parameters that are added, whole, to what lies on a grid or along a sequence of one length."""
        for call in self.recording.calls:
            if call.name not in ("aten.add", "aten.add_"):
                continue
            for one in refs_of(call.args[:2]):
                source = self._parameter_behind(one)
                if source is not None and len(source.shape) > 1 and self._is_parameter(source):
                    yield from self._whole(source)

    def _whole(self, source: Ref) -> Iterator[PositionTable]:
        axes = [dim.axis for dim in self.reading.parameters[source.name].dims]
        spatial = [at for at, axis in enumerate(axes) if size_of(axis) > 1 and _pinned(axis, Cause.SPACE)]
        if len(spatial) == 1:
            grid = _grid(axes[spatial[0]])
            if grid is None:
                self._others[source.name] = "its positions are neither one grid nor one sequence"
                return
            yield from self._noted(self._on_image(source.name, (spatial[0],), *grid))
        elif len(spatial) == 2:  # rows and columns
            shape = (size_of(axes[spatial[0]]), size_of(axes[spatial[1]]))
            yield from self._noted(self._on_image(source.name, (spatial[0], spatial[1]), 0, shape))
        elif not spatial:
            along = [at for at, axis in enumerate(axes) if size_of(axis) > 1 and _pinned(axis, Cause.INPUT)]
            if len(along) == 1:
                yield from self._noted(self._on_sequence(source.name, along[0], axes[along[0]]))

    def _noted(self, table: PositionTable | None) -> Iterator[PositionTable]:
        if table is not None:
            yield table

    def _on_sequence(self, name: str, axis: int, along: Axis) -> PositionTable | None:
        leaf = resolve(along)
        given = [
            Given(number, at, 0, size_of(one))
            for number, axes in enumerate(self.reading.inputs)
            for at, one in enumerate(axes)
            if resolve(one) is leaf
        ]
        if not isinstance(leaf, Leaf) or not given:
            return None
        return PositionTable(self.members[name].layer, name, (axis,), (leaf.size,), 0, tuple(given))

    def _on_image(self, name: str, axes: tuple[int, ...], first: int, shape: tuple[int, ...]) -> PositionTable | None:
        """Return a table over what the example's images (or signals) are cut into; None where these cannot be told."""
        rank = _IMAGE if len(shape) > 1 else _SEQUENCE
        images = [(n, a) for n, a in enumerate(self.reading.inputs) if len(a) == rank]
        if len(images) != 1:
            self._others[name] = f"which of the model's {len(self.reading.inputs)} inputs it lies over is not told"
            return None
        number, sides = images[0][0], images[0][1][-len(shape) :]
        given = tuple(Given(number, rank - len(shape) + side, side, size_of(axis)) for side, axis in enumerate(sides))
        if any(one.size % shape[one.side] for one in given):
            sizes = " x ".join(str(one.size) for one in given)
            self._others[name] = (
                f"{sizes} of the input make {' x '.join(map(str, shape))} positions, which is no whole number each"
            )
            return None
        return PositionTable(self.members[name].layer, name, axes, shape, first, given)

    def _parameter_behind(self, ref: Ref) -> Ref | None:
        """Return the parameter or buffer that a tensor is a view of, whole."""
        while ref.origin != "parameter":
            call = self._made.get(ref)
            if call is None:
                return None
            whole = call.name == "aten.slice" and isinstance(call.args[0], Ref) and call.args[0].shape == ref.shape
            if call.name.removeprefix(_ATEN) not in _LOOKS and not whole:
                return None
            ref = cast(Ref, call.args[0])
        return ref

    def _is_buffer(self, ref: Ref) -> bool:
        return ref.name in self.members and not self._is_parameter(ref)

    def _is_parameter(self, ref: Ref) -> bool:
        member = self.members.get(ref.name)
        return ref.origin == "parameter" and member is not None and member.is_parameter


def _parts(axis: Axis) -> tuple[Axis, ...]:
    whole = resolve(axis)
    return whole.parts if isinstance(whole, Sum) else (whole,)


def _pinned(axis: Axis, cause: Cause) -> bool:
    return any(reason.cause is cause for leaf in leaves(axis) for reason in leaf.pins)


def _grid(axis: Axis) -> tuple[int, tuple[int, ...]] | None:
    """Return (entries before, sides) of an axis that lies over an image, or a signal; None where it does not."""
    *before, last = _parts(axis)
    factors = last.factors if isinstance(last, Product) else (last,)
    if any(_pinned(part, Cause.SPACE) for part in before) or len(factors) not in (1, 2):
        return None
    if not all(isinstance(factor, Leaf) and _pinned(factor, Cause.SPACE) for factor in factors):
        return None
    return sum(map(size_of, before)), tuple(map(size_of, factors))
