"""Axes as expressions: a size is a leaf, a product of sizes (from views) or a sum of sizes (from concatenation).

A `Leaf` is a union-find node. While a forward pass is read, leaves are joined (two axes are one width), split into
products (a view cuts 64 into 8 heads of 8) and cut into sums (a chunk cuts 128 into 64 + 64). What is left free at the
end is a width that can change: wherever it stands in a parameter's axis, that axis changes with it.

    Linear(16, 3 * 64) -> view(b, t, 3, 8, 8)      axis 0 of the weight: Product(Sum(1, 1, 1), heads, head_size)
    cat([a, b], 1)                                  Sum(a, b)

Everything is compared by identity, never by size: two axes of the same length are one only where the network says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.widths.reasons import Reason


@dataclass(eq=False)
class Leaf:
    """A width: a node of the union-find.

    Attributes:
        size: How many units.
        link: What it has turned out to be; None while it is itself.
        pins: Why it cannot change.
        mixes: What makes a unit's value depend on the other units, other than a reader's weights.
    """

    size: int
    link: Axis | None = None
    pins: list[Reason] = field(default_factory=list[Reason])
    mixes: list[Reason] = field(default_factory=list[Reason])


@dataclass(frozen=True, eq=False)
class Product:
    """Factors, the slowest first, as `view` lays them out."""

    factors: tuple[Axis, ...]


@dataclass(frozen=True, eq=False)
class Sum:
    """Segments, one after the other, as `cat` lays them out."""

    parts: tuple[Axis, ...]


Axis = Leaf | Product | Sum

ONE = Product(())
_MOST_REASONS = 256


def size_of(axis: Axis) -> int:
    """Return the length of an axis."""
    if isinstance(axis, Leaf):
        return axis.size if axis.link is None else size_of(axis.link)
    if isinstance(axis, Product):
        total = 1
        for factor in axis.factors:
            total *= size_of(factor)
        return total
    return sum(size_of(part) for part in axis.parts)


def resolve(axis: Axis) -> Axis:
    """Return what the axis has turned out to be, with nested products and sums flattened."""
    if isinstance(axis, Leaf):
        if axis.link is None:
            return axis
        axis.link = resolve(axis.link)
        return axis.link
    if isinstance(axis, Product):
        return product(axis.factors)
    return total(axis.parts)


def product(factors: Sequence[Axis]) -> Axis:
    """Return the product of axes; factors of one fall away."""
    flat: list[Axis] = []
    for factor in map(resolve, factors):
        flat.extend(factor.factors if isinstance(factor, Product) else (factor,))
    return flat[0] if len(flat) == 1 else Product(tuple(flat)) if flat else ONE


def total(parts: Sequence[Axis]) -> Axis:
    """Return axes laid one after the other; empty ones fall away."""
    flat: list[Axis] = []
    for part in map(resolve, parts):
        flat.extend(part.parts if isinstance(part, Sum) else (part,))
    if len(flat) > 1:
        flat = [part for part in flat if size_of(part)]
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def is_one(axis: Axis) -> bool:
    """Return whether an axis has turned out to be `ONE`, without flattening what it is made of.

    >>> is_one(Product((Leaf(1, link=ONE), ONE))), is_one(Leaf(1)), is_one(Sum((ONE, ONE)))
    (True, False, False)
    """
    if isinstance(axis, Leaf):
        return axis.link is not None and is_one(axis.link)
    if isinstance(axis, Product):
        return all(map(is_one, axis.factors))
    filled = (True for part in axis.parts if size_of(part))
    return not (next(filled, False) and next(filled, False)) and resolve(axis) is ONE


def leaves(axis: Axis) -> Iterator[Leaf]:
    """Yield the widths that an axis is made of, each as often as it occurs."""
    axis = resolve(axis)
    if isinstance(axis, Leaf):
        yield axis
    else:
        for child in axis.factors if isinstance(axis, Product) else axis.parts:
            yield from leaves(child)


def pin(axis: Axis, reason: Reason) -> None:
    """Note why none of an axis's widths can change."""
    for leaf in leaves(axis):
        note(leaf.pins, reason)


def mix(axis: Axis, reason: Reason) -> None:
    """Note that units along this axis are mixed by something other than weights."""
    for leaf in leaves(axis):
        note(leaf.mixes, reason)


def note(reasons: list[Reason], reason: Reason) -> None:
    """Add a reason, unless it is known or there are enough."""
    if len(reasons) < _MOST_REASONS and reason not in reasons:
        reasons.append(reason)


def bind(leaf: Leaf, axis: Axis) -> None:
    """Let a leaf turn out to be `axis`; what was said of it now holds for all of that axis's widths."""
    leaf.link = axis
    for reason in leaf.pins:
        pin(axis, reason)
    for reason in leaf.mixes:
        mix(axis, reason)


def gathered(axis: Axis, leaf: Leaf, index: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return where each new position of `axis` comes from when `leaf` is gathered by `index`.

    Args:
        axis: An axis.
        leaf: A width that may occur in it, several times too.
        index: Old units, one for each new unit of `leaf`.

    Returns:
        Old positions along `axis`, one for each new position.

    >>> heads, size = Leaf(2), Leaf(3)
    >>> gathered(Product((heads, size)), size, [0, 1, 2, 0]).tolist()
    [0, 1, 2, 0, 3, 4, 5, 3]
    """
    return _gathered(resolve(axis), leaf, np.asarray(index, np.int64))


def _gathered(axis: Axis, leaf: Leaf, index: NDArray[np.int64]) -> NDArray[np.int64]:
    if axis is leaf:
        return index.copy()
    if isinstance(axis, Leaf):
        return np.arange(axis.size, dtype=np.int64)
    if isinstance(axis, Sum):
        starts = itertools.accumulate(map(size_of, axis.parts), initial=0)
        inner = [start + _gathered(part, leaf, index) for start, part in zip(starts, axis.parts, strict=False)]
        return np.concatenate([np.empty(0, np.int64), *inner])
    positions = np.zeros(1, np.int64)
    for factor in axis.factors:
        positions = np.add.outer(positions * size_of(factor), _gathered(factor, leaf, index)).reshape(-1)
    return positions


def coordinates(axis: Axis, leaf: Leaf) -> NDArray[np.int64]:
    """Return for each position of `axis` the unit of `leaf` that it belongs to, -1 where to none.

    >>> half = Leaf(2)
    >>> coordinates(Sum((half, Leaf(1), half)), half).tolist()
    [0, 1, -1, 0, 1]
    """
    axis = resolve(axis)
    if axis is leaf:
        return np.arange(leaf.size, dtype=np.int64)
    if isinstance(axis, Leaf):
        return np.full(axis.size, -1, np.int64)
    if isinstance(axis, Sum):
        return np.concatenate([np.empty(0, np.int64), *(coordinates(part, leaf) for part in axis.parts)])
    units = np.full(1, -1, np.int64)
    for factor in axis.factors:
        inner = coordinates(factor, leaf)
        units = np.where(inner >= 0, inner, units[:, None]).reshape(-1)
    return units


def resized(axis: Axis, sizes: Mapping[Leaf, int]) -> int:
    """Return the length of `axis` when some of its widths have other sizes.

    >>> half = Leaf(2)
    >>> resized(Sum((half, Leaf(1), half)), {half: 5})
    11
    """
    axis = resolve(axis)
    if isinstance(axis, Leaf):
        return sizes.get(axis, axis.size)
    if isinstance(axis, Sum):
        return sum(resized(part, sizes) for part in axis.parts)
    out = 1
    for factor in axis.factors:
        out *= resized(factor, sizes)
    return out
