"""From axes to layouts: how the units of one width lie along an axis, as plain data that a recipe can hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genewright.edits.layout import UNIT, Layout, units
from genewright.widths.axes import Axis, Leaf, Sum, resolve, size_of


def layout_of(axis: Axis, leaf: Leaf) -> Layout:
    """Return the layout of `leaf` along `axis`; other widths become plain lengths.

    >>> heads, size = Leaf(2), Leaf(3)
    >>> from genewright.widths.axes import Product
    >>> layout_of(Product((Leaf(3), heads, size)), heads)
    ('*', 3, 'u', 3)
    """
    axis = resolve(axis)
    if axis is leaf:
        return UNIT
    if isinstance(axis, Leaf):
        return axis.size
    adds = isinstance(axis, Sum)
    parts: list[Layout] = []
    for part in axis.parts if isinstance(axis, Sum) else axis.factors:
        made = layout_of(part, leaf)
        last = parts[-1] if parts else None
        if isinstance(made, int) and isinstance(last, int):
            parts[-1] = last + made if adds else last * made
        else:
            parts.append(made)
    if not parts:
        return size_of(axis)
    return parts[0] if len(parts) == 1 else ("+" if adds else "*", *parts)


def by_unit(layout: Layout, size: int) -> NDArray[np.int64]:
    """Return the positions of each unit along an axis: a row a unit, in order.

    Every unit of a width has as many positions as any other.

    >>> by_unit(("+", "u", 1, "u"), 2).tolist()
    [[0, 3], [1, 4]]
    """
    owners = units(layout, size)
    order = np.argsort(owners, kind="stable")
    return order[int((owners < 0).sum()) :].reshape(size, -1)
