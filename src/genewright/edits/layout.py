"""Layout: how the units of a width lie along one axis of a tensor.

``"u"`` is the width itself, an int that many positions beside it, ``("+", a, b)`` one after the other as `cat` lays
them, ``("*", a, b)`` the outer product as `view` does, the slowest first. So the rows of a fused query, key and value
projection are ``("*", 3, "u", 64)`` where the width counts heads.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError

Layout = str | int | tuple[Any, ...]
Positions = NDArray[np.int64]

UNIT: Layout = "u"
_DEEPEST = 32


def length(layout: Layout, size: int) -> int:
    """Return the length of the axis when the width has `size` units.

    >>> length(("+", ("*", 2, "u"), 1), 5)
    11
    """
    if layout == UNIT:
        return size
    if isinstance(layout, int):
        return layout
    parts = [length(part, size) for part in layout[1:]]
    return math.prod(parts) if layout[0] == "*" else sum(parts)


def gathered(layout: Layout, index: Positions, size: int) -> Positions:
    """Return the old position of each new one when the width's `size` units are gathered by `index`.

    Args:
        layout: The layout.
        index: Old units, one for each new unit; -1 for one that comes from none.
        size: How many old units there are.

    Returns:
        Old positions along the axis, -1 where a new unit comes from none.

    >>> gathered(("*", 2, "u"), np.array([0, 1, 2, 0]), 3).tolist()
    [0, 1, 2, 0, 3, 4, 5, 3]
    """
    if layout == UNIT:
        return index
    if isinstance(layout, int):
        return np.arange(layout)
    first, *rest = ((gathered(part, index, size), length(part, size)) for part in layout[1:])
    positions, total = first
    for inner, width in rest:
        if layout[0] == "+":
            positions = np.concatenate([positions, np.where(inner < 0, -1, inner + total)])
            total += width
        else:
            outer = positions[:, None]
            positions = np.where((outer < 0) | (inner < 0), -1, outer * width + inner).reshape(-1)
    return positions


def units(layout: Layout, size: int) -> Positions:
    """Return for each position of the axis the unit that it belongs to, -1 where to none.

    >>> units(("+", "u", 1, "u"), 2).tolist()
    [0, 1, -1, 0, 1]
    """
    if layout == UNIT:
        return np.arange(size)
    if isinstance(layout, int):
        return np.full(layout, -1, np.int64)
    parts = [units(part, size) for part in layout[1:]]
    if layout[0] == "+":
        return np.concatenate(parts)
    found = parts[0]
    for inner in parts[1:]:
        found = np.where(inner >= 0, inner, found[:, None]).reshape(-1)
    return found


def layout_to_json(layout: Layout) -> Any:
    """Return a layout as JSON holds it."""
    return [layout[0], *map(layout_to_json, layout[1:])] if isinstance(layout, tuple) else layout


def layout_from_json(form: Any, depth: int = 0) -> Layout:
    """Read what `layout_to_json` wrote.

    Raises:
        RecipeError: It is no layout.
    """
    if form == UNIT or (isinstance(form, int) and not isinstance(form, bool) and 0 <= form < 1 << 31):
        return cast(Layout, form)
    parts = cast("list[Any]", form) if isinstance(form, list) else []
    if len(parts) < 2 or parts[0] not in ("*", "+") or depth >= _DEEPEST:
        raise RecipeError('The recipe is damaged: a layout is "u", a length, ["*", ...] or ["+", ...].')
    return (parts[0], *(layout_from_json(part, depth + 1) for part in parts[1:]))
