"""Numbers and buffers of a module that say how many positions there are, or how large its images are.

Most of them no run at the old length reads. Each is told by its name and by its value together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from torch import nn

from genewright.backends.torch.attribute_paths import is_settings
from genewright.backends.torch.restructure.buffer import continued
from genewright.backends.torch.tensors import named_layers
from genewright.errors import UnsupportedError
from genewright.widths.counts import POSITION_NAMES, Count
from genewright.widths.positions import PositionCounts, PositionTable

Sides = tuple[int, ...]
Change = tuple[PositionTable, Sides]
_SMALLEST_TOLD = 2  # a number that is 1 says nothing


def position_counts(model: nn.Module, changes: Sequence[Change]) -> PositionCounts:
    """Return what follows tables of positions that get other shapes.

    Args:
        model: The module.
        changes: Tables, each with its new shape.

    Raises:
        UnsupportedError: One number stands for both sides, and they would differ.
    """
    numbers = dict(_lengths(changes))
    grids = {table.shape: shape for table, shape in changes if len(shape) > 1}
    images = {_image(table, table.shape): _image(table, shape) for table, shape in changes if len(shape) > 1}
    follow: list[Count] = []
    for layer, path, value in _held(model):
        name = path.rpartition(".")[2]
        for kind, sides in (("image", images), ("grid", grids)):
            if name in POSITION_NAMES[kind]:
                follow.extend(_side(layer, path, value, sides))
        if type(value) is int and value >= _SMALLEST_TOLD and value in numbers:
            of_table = name == "num_embeddings" and any(table.layer == layer for table, _ in changes)
            if (name in POSITION_NAMES["sequence"] or of_table) and numbers[value] != value:
                follow.append(Count(layer, path, numbers[value]))
    return PositionCounts(tuple(follow), tuple(_buffers(model, numbers)))


def _lengths(changes: Sequence[Change]) -> Iterator[tuple[int, int]]:
    """Yield (old, new) of counts: positions alone, and with the entries before them; the latter come last."""
    counts = [(table, _product(shape)) for table, shape in changes]
    yield from ((table.count, count) for table, count in counts)
    yield from ((table.first + table.count, table.first + count) for table, count in counts)


def _product(shape: Sides) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _image(table: PositionTable, shape: Sides) -> Sides:
    return tuple(one.size // table.shape[one.side] * shape[one.side] for one in table.given)


def _side(layer: str, path: str, value: Any, sides: Mapping[Sides, Sides]) -> Iterator[Count]:
    """Yield what becomes of a pair of sides, or of one number for both."""
    for old, new in sides.items():
        pair = tuple(cast("Sequence[Any]", value)) if isinstance(value, tuple | list) else ()
        if pair == old:
            if new != old:
                yield Count(layer, path, list(new))
        elif not pair and type(cast(object, value)) is int and old == (value, value) and old[0] >= _SMALLEST_TOLD:
            if len(set(new)) > 1:
                raise UnsupportedError(
                    f"{f'{layer}.{path}'.lstrip('.')!r} is one number, {value}, for both sides, so that "
                    f"{new[0]} x {new[1]} cannot be said. Give as many rows as columns."
                )
            if new != old:
                yield Count(layer, path, new[0])


def _held(model: nn.Module) -> Iterator[tuple[str, str, Any]]:
    """Yield (layer, path, value) of what every layer holds, and of the settings in it; what is shared comes once."""
    seen: set[int] = set()
    for layer, module in named_layers(model):
        waiting: list[tuple[str, Mapping[str, Any]]] = [("", vars(module))]
        while waiting:
            prefix, held = waiting.pop()
            for name, value in held.items():
                if name.startswith("_"):
                    continue
                yield layer, f"{prefix}{name}", value
                inner: Mapping[str, Any] | None = getattr(value, "__dict__", None)
                if inner and id(value) not in seen and not isinstance(value, nn.Module | type) and is_settings(value):
                    seen.add(id(value))
                    waiting.append((f"{prefix}{name}.", inner))


def _buffers(model: nn.Module, numbers: Mapping[int, int]) -> Iterator[tuple[str, str, int, int]]:
    for layer, module in named_layers(model):
        for name, buffer in module.named_buffers(recurse=False):
            for size in dict.fromkeys(length for length in buffer.shape if length in numbers and length > 1):
                if numbers[size] != size and continued(buffer, size, numbers[size]) is not None:
                    yield layer, name, size, numbers[size]
