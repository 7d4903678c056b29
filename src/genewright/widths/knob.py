"""Knob: a width of a network that can change, with everything that changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.widths.axes import Axis, Leaf, Product, Sum, coordinates, gathered, leaves, resolve, size_of
from genewright.widths.reasons import Cause, Reason


@dataclass(frozen=True, eq=False)
class Place:
    """An axis of a tensor that a width stands in.

    Attributes:
        tensor: The tensor's name.
        axis: The axis.
        layout: The axis as an expression; the width is one of its leaves.
        roles: "writer" (its rows make the units), "reader" (its columns take them), "norm" (a gain or shift of a norm
            across units), "group" (a convolution in groups: one group a unit), "table" (its rows are looked up by
            number), "carrier" (one value a unit: biases, gains, statistics).
        layer: The layer that holds the tensor.
        beside: All axes that the tensor's units are laid out over, as one expression, where these are several (heads
            along one axis, their units along the next); None where `layout` is all.
    """

    tensor: str
    axis: int
    layout: Axis
    roles: frozenset[str]
    layer: str
    beside: Axis | None = None

    @property
    def size(self) -> int:
        """Return the length of the axis."""
        return size_of(self.layout)

    @property
    def whole(self) -> Axis:
        """Return the tensor's units as one expression."""
        return self.layout if self.beside is None else self.beside


@dataclass(frozen=True, eq=False)
class Attribute:
    """An attribute of a layer that holds a length.

    Attributes:
        layer: The layer's name.
        path: The attribute, dotted where it is an entry or belongs to an object that the layer holds.
        old: Its value; the length of a list.
        new: What it becomes.
        values: The entries of a list that has one for each unit, and follows the units themselves; () of a number.
    """

    layer: str
    path: str
    old: int
    new: int
    values: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Knob:
    """A width with all its places.

    Attributes:
        name: The layer that writes it; with a number where that layer writes several.
        leaf: The width itself.
        places: Where it stands in parameters and statistics.
        pins: Why it cannot change; empty where it can.
        mixes: What makes the units depend on each other other than through weights.
        norms: Layers that normalise across it, with their kind ("layer", "group").
        attributes: Names of the attributes that follow it, as "layer.attribute".
        layers: The layers that write it.
    """

    name: str
    leaf: Leaf
    places: tuple[Place, ...]
    pins: tuple[Reason, ...]
    mixes: tuple[Reason, ...]
    norms: tuple[tuple[str, str], ...]
    attributes: tuple[str, ...]
    layers: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return how many units there are."""
        return self.leaf.size

    @property
    def free(self) -> bool:
        """Whether nothing is known that keeps it from changing."""
        return not self.pins

    @property
    def verdict(self) -> str:
        """Whether it can change, in words."""
        return "free" if self.free else f"pinned: {self.pins[0]}"

    @property
    def kind(self) -> str:
        """Return what is known of its use: "stream", "heads", "head size", "groups" or "units"."""
        if any(kind == "layer" for _, kind in self.norms) or self.normalised:
            return "stream"
        if self.contracted and any(_is_factor(p.whole, self.leaf) for p in self.places if "writer" in p.roles):
            return "head size"
        if any(_over_mixed(place.whole, self.leaf) for place in self.places if "writer" in place.roles):
            return "heads"
        if not any("writer" in place.roles for place in self.places):
            return "groups"
        return "units"

    @property
    def mixed_heads(self) -> Reason | None:
        """Return what mixes units that would count heads otherwise, as a mean over heads does; None for others."""
        blocks = any(_over_mixed(place.whole, self.leaf) for place in self.places if "writer" in place.roles)
        return self.mixes[0] if blocks and self.mixes and not self.contracted else None

    @property
    def hidden(self) -> bool:
        """Whether it is a hidden width: free, written and read by weights, with nothing that looks across its units."""
        roles = [place.roles for place in self.places]
        written = any("writer" in held for held in roles)
        read = any("reader" in held for held in roles) and not any({"reader", "writer"} <= held for held in roles)
        return self.free and written and read and not self.mixes and not self.norms

    @property
    def plain(self) -> bool:
        """Whether it is a width of its own wherever it is written, not a factor of one, as heads and their size are."""
        written = [place for place in self.places if "writer" in place.roles]
        grouped = any("group" in place.roles for place in self.places)
        return grouped or not any(_is_factor(place.layout, self.leaf) for place in written)

    @property
    def normalised(self) -> bool:
        """Whether all that mixes its units is a mean over them: a norm written out."""
        return bool(self.mixes) and all(reason.cause is Cause.AVERAGED for reason in self.mixes)

    @property
    def contracted(self) -> bool:
        """Whether all that mixes its units is a product of two that weights wrote, as that of queries and keys."""
        return bool(self.mixes) and all(reason.cause is Cause.CONTRACTED for reason in self.mixes)

    @property
    def multiple(self) -> int:
        """Return the step in which its first writer's axis changes when the width changes by one."""
        first = next((p for p in self.places if "writer" in p.roles), self.places[0])
        return first.size // self.size

    def moved(self, place: Place, index: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return where each new position of a place comes from; -1 where `index` says so for its unit."""
        wanted = np.asarray(index, np.int64)
        positions = gathered(place.layout, self.leaf, np.maximum(wanted, 0))
        new = wanted < 0
        if new.any():
            units = self.new_units(place, wanted)
            positions[(units >= 0) & new[units]] = -1
        return positions

    def new_units(self, place: Place, index: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return for each new position of a place the new unit that it belongs to, -1 where to none."""
        scratch = Leaf(len(index))
        layout = exchanged(place.layout, self.leaf, scratch)
        return coordinates(layout, scratch)

    def units(self, place: Place) -> NDArray[np.int64]:
        """Return for each position of a place the unit that it belongs to, -1 where to none."""
        return coordinates(place.layout, self.leaf)

    def __str__(self) -> str:
        lines = [f"{self.name}  {self.size} {self.kind}  {self.verdict}"]
        width = max((len(place.tensor) for place in self.places), default=0)
        for place in self.places:
            of = "" if place.size == self.size else f" of {place.size}"
            roles = ", ".join(sorted(place.roles))
            lines.append(f"    {place.tensor:<{width}}  axis {place.axis}{of}  {roles}")
        if self.attributes:
            lines.append(f"    attributes: {', '.join(self.attributes)}")
        for layer, kind in self.norms:
            lines.append(f"    {kind} norm across it: {layer}")
        lines.extend(f"    mixed: {reason}" for reason in self.mixes[:1])
        return "\n".join(lines)


def exchanged(axis: Axis, leaf: Leaf, other: Leaf) -> Axis:
    """Return the axis with one width in another's place."""
    axis = resolve(axis)
    if axis is leaf:
        return other
    if isinstance(axis, Product):
        return Product(tuple(exchanged(f, leaf, other) for f in axis.factors))
    if isinstance(axis, Sum):
        return Sum(tuple(exchanged(p, leaf, other) for p in axis.parts))
    return axis


def _over_mixed(axis: Axis, leaf: Leaf) -> bool:
    """Whether `leaf` counts blocks whose own units are mixed, as heads do."""
    axis = resolve(axis)
    if isinstance(axis, Sum):
        return any(_over_mixed(part, leaf) for part in axis.parts)
    if not isinstance(axis, Product):
        return False
    factors = [resolve(factor) for factor in axis.factors]
    if leaf in factors:
        inner = factors[factors.index(leaf) + 1 :]
        return any(bool(each.mixes) for factor in inner for each in leaves(factor))
    return any(_over_mixed(factor, leaf) for factor in factors)


def _is_factor(axis: Axis, leaf: Leaf) -> bool:
    axis = resolve(axis)
    if isinstance(axis, Sum):
        return any(_is_factor(part, leaf) for part in axis.parts)
    return isinstance(axis, Product) and any(leaf is inner for inner in leaves(axis))


def with_size(place: Place, knobs: Sequence[Knob], size: int) -> Place:
    """Return a place as it is when some other widths that may stand in it have `size` units."""
    layout = place.layout
    for knob in knobs:
        layout = exchanged(layout, knob.leaf, Leaf(size))
    return replace(place, layout=layout)
