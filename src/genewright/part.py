"""Part: the elements of a tensor that an edit may change, chosen by positions along its axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError
from genewright.index import Index

Part = tuple[Index | None, ...]
"""For each axis the positions that belong, or None for all of them; axes that are left out belong whole.

``()`` is the whole tensor, ``(Index.of([0, 2]),)`` its rows 0 and 2, ``(None, Index.of([5]))`` its column 5.
"""

_CHUNK = 1 << 18  # elements looked at together
_MOST_AXES = 64  # NumPy has no more
_LONG = 64  # runs at least this long on average are changed where they lie


def along(axis: int | None, positions: Sequence[int] | NDArray[Any] | Index | None) -> Part:
    """Return the part at `positions` along `axis`; the whole tensor where either is None.

    >>> along(1, (5,))
    (None, Index([5]))
    """
    if axis is None or positions is None:
        return ()
    return (*(None for _ in range(axis)), Index.of(positions))


def at_positions(chosen: Sequence[NDArray[np.int64]], shape: tuple[int, ...]) -> Part:
    """Return the part at chosen positions of every axis, without those axes at the end that belong whole, in order.

    >>> at_positions([np.array([0, 2]), np.arange(3)], (4, 3))
    (Index([0, 2]),)
    """
    part = [
        None if len(one) == size and (one == np.arange(size)).all() else Index.of(one)
        for one, size in zip(chosen, shape, strict=True)
    ]
    while part and part[-1] is None:
        part.pop()
    return tuple(part)


def part_shape(part: Part, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a part of a tensor of the given shape.

    >>> part_shape(along(0, (0, 2)), (4, 3))
    (2, 3)
    """
    whole: Part = (None,) * (len(shape) - len(part))
    return tuple(
        size if positions is None else len(positions) for size, positions in zip(shape, (*part, *whole), strict=True)
    )


def fits(part: Part, shape: tuple[int, ...]) -> bool:
    """Whether every position of a part exists, and none comes twice."""
    return not part or (
        len(part) <= len(shape)
        and all(
            positions is None or (positions.within(0, size) and positions.size <= size and positions.distinct())
            for size, positions in zip(shape, part, strict=False)
        )
    )


def grid(part: Part, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the index by which NumPy reads and writes a part of an array.

    >>> np.arange(12).reshape(4, 3)[grid((Index.of([0, 2]), Index.of([1])), (4, 3))].tolist()
    [[1], [7]]
    """
    chosen = [positions for positions in part if positions is not None]
    if not chosen:
        return (...,)
    if len(chosen) == 1:  # one axis: no grid of all the others
        return tuple(slice(None) if positions is None else positions.array for positions in part)
    return np.ix_(
        *(np.arange(n) if positions is None else positions.array for n, positions in zip(shape, part, strict=False))
    )


def part_to_json(part: Part) -> list[Any]:
    """Return a part as JSON holds it."""
    return [None if positions is None else positions.to_json() for positions in part]


def part_from_json(form: Any) -> Part:
    """Read what `part_to_json` wrote.

    Raises:
        RecipeError: It is damaged.
    """
    if not isinstance(form, list) or len(cast("list[Any]", form)) > _MOST_AXES:
        raise RecipeError("The recipe is damaged: a part is a list, for each axis null or positions.")
    return tuple(None if entry is None else Index.from_json(entry) for entry in cast("list[Any]", form))


def pieces(part: Part, shape: tuple[int, ...]) -> Iterator[tuple[int, int, NDArray[np.bool_] | None]]:
    """Yield the row-major ranges that hold a part, in order.

    Yields:
        (start, stop, inside): where `inside` is None the whole range belongs to the part; else it says for each of its
        elements whether that one does.
    """
    size = math.prod(shape)
    if not part:
        yield 0, size, None
        return
    for start in range(0, size, _CHUNK):
        inside = _inside(part, shape, start, min(start + _CHUNK, size))
        edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
        count = len(edges) // 2
        if count and int(inside.sum()) >= _LONG * count:
            for first, last in edges.reshape(-1, 2).tolist():
                yield start + first, start + last, None
        elif count:
            yield start + int(edges[0]), start + int(edges[-1]), inside[edges[0] : edges[-1]]


def _inside(part: Part, shape: tuple[int, ...], start: int, stop: int) -> NDArray[np.bool_]:
    inside = np.ones(stop - start, np.bool_)
    flat = np.arange(start, stop)
    inner = math.prod(shape)
    for size, positions in zip(shape, part, strict=False):
        inner //= size
        if positions is not None:
            belongs = np.zeros(size, np.bool_)
            belongs[positions.array] = True
            inside &= belongs[flat // inner % size]
    return inside
