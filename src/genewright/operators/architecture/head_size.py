"""Larger heads: queries and keys whose scores stay, values that nothing reads yet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from genewright.edit import Edit, Perturb, Reindex
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.architecture.moving import own_spread, set_attributes
from genewright.part import along
from genewright.seeding import Noise
from genewright.widths.axes import Axis, Leaf, Product, Sum, coordinates, leaves, resolve, size_of
from genewright.widths.knob import Attribute, Knob, Place, exchanged, with_size
from genewright.widths.widths import Widths


@dataclass(frozen=True)
class Growth:
    """What grows with the size of some heads.

    Attributes:
        knobs: The size itself; then, where the values' size has to follow, that one.
        size: The new size.
        attributes: What follows.
        queries: For each tensor, the new positions along the size's axis that make queries.
        scale: By what these are multiplied.
    """

    knobs: tuple[Knob, ...]
    size: int
    attributes: tuple[Attribute, ...]
    queries: dict[str, tuple[int, ...]]
    scale: float


def growth(knob: Knob, size: int, widths: Widths) -> Growth:
    """Find out what grows when the heads of `knob` get `size` units each.

    Raises:
        UnsupportedError: Queries and keys cannot be told apart, or the size cannot change; the reason is named.
    """
    knobs, attributes = settled_together(knob, size, widths)
    runs = [(place, run) for place in knob.places if "writer" in place.roles for run in _runs_in(knob, place, size)]
    if len(runs) not in (2, 3):
        raise UnsupportedError(
            f"{knob.name!r}: {len(runs)} projections write these heads, not queries, keys and values."
        )
    first, run = runs[0]
    rows = _runs_in(knob, first, size).index(run)
    queries = {first.tensor: tuple(run)}
    for place in knob.places:  # the biases beside the rows
        if "writer" not in place.roles and place.layer == first.layer:
            queries[place.tensor] = tuple(_runs_in(knob, place, size)[rows])
    return Growth(knobs, size, attributes, queries, widths.score_scale(knobs, size, attributes, queries))


def settled_together(knob: Knob, size: int, widths: Widths) -> tuple[tuple[Knob, ...], tuple[Attribute, ...]]:
    """Return the knobs that get `size` units together, the heads' own first, and the attributes that follow.

    Raises:
        UnsupportedError: They cannot have that many; the reason is named.
    """
    try:
        return (knob,), widths.settle(knob, size)
    except UnsupportedError:
        knobs = (knob, *_values_of(knob, widths))
        return knobs, widths.settle_together(knobs, size)


def shrunk_heads(knob: Knob, kept: Sequence[int], widths: Widths) -> Iterator[Edit]:
    """Yield the edits that leave some units in every head; queries are scaled where the scale derives from the size."""
    size = len(kept)
    knobs, attributes = settled_together(knob, size, widths)
    larger = growth(knob, knob.size + 1, widths)
    scale = 1.0 if larger.scale == 1 else math.sqrt(size / knob.size)
    yield from set_attributes(attributes)
    for at, one in enumerate(knobs):
        for held in one.places:
            place = with_size(held, knobs[:at], size)
            queries = _queries(knob, held, size, larger) if at == 0 and scale != 1 else set[int]()
            moved = tuple(one.moved(place, list(kept)).tolist())
            factor = tuple(scale if position in queries else 1.0 for position in range(len(moved))) if queries else None
            yield Reindex(tensor=place.tensor, axis=place.axis, index=moved, factor=factor)


def _queries(knob: Knob, place: Place, size: int, found: Growth) -> set[int]:
    """Return the positions of the queries among those of a place, at another size than they were found for."""
    if place.tensor not in found.queries:
        return set()
    rows = _runs_in(knob, place, found.size).index(list(found.queries[place.tensor]))
    return set(_runs_in(knob, place, size)[rows])


def grown_heads(found: Growth, network: Network, noise: Noise) -> Iterator[Edit]:
    """Yield the edits: new queries are zero and all queries scaled, new keys and values drawn, new columns zero."""
    yield from set_attributes(found.attributes)
    for at, knob in enumerate(found.knobs):
        index = [*range(knob.size), *[-1] * (found.size - knob.size)]
        for held in knob.places:
            place = with_size(held, found.knobs[:at], found.size)
            moved = tuple(knob.moved(place, index).tolist())
            queries = set(found.queries.get(place.tensor, ()) if at == 0 else ())
            factor = None
            if queries and found.scale != 1:
                factor = tuple(found.scale if position in queries else 1.0 for position in range(len(moved)))
            yield Reindex(tensor=place.tensor, axis=place.axis, index=moved, factor=factor)
            drawn = tuple(p for p, old in enumerate(moved) if old < 0 and p not in queries)
            # What values the readers' columns are left at is zero: they let nothing new through.
            if "writer" in place.roles and drawn:
                yield Perturb(
                    tensor=place.tensor,
                    change=Change(combine="replace", distribution="normal", scale=own_spread(place.tensor, network)),
                    stream=noise.stream(f"{place.tensor}:{place.axis}:{knob.name}"),
                    part=along(place.axis, drawn),
                )


def _values_of(knob: Knob, widths: Widths) -> tuple[Knob, ...]:
    """Return the size of the values that the same heads weigh: as large as theirs, and multiplied by the same heads.

    Where several layers share a number of heads, as by a common bias of positions, those beside the queries are meant.
    """
    heads = _factors_beside(knob)
    found = tuple(
        other
        for other in widths.knobs()
        if other.size == knob.size
        and other.leaf is not knob.leaf
        and not other.mixes
        and id(other.leaf) not in heads
        and heads & _factors_beside(other)
    )
    near = tuple(other for other in found if _holders(other) & _holders(knob))
    return near or found


def _holders(knob: Knob) -> set[str]:
    return {layer.rpartition(".")[0] for layer in knob.layers}


def _factors_beside(knob: Knob) -> set[int]:
    """Return the widths that a knob's own is multiplied by where it stands."""
    out: set[int] = set()
    for place in knob.places:
        axis = resolve(place.layout)
        for part in axis.parts if isinstance(axis, Sum) else (axis,):
            inner = {id(leaf) for leaf in leaves(part)}
            if id(knob.leaf) in inner:
                out |= inner - {id(knob.leaf)}
    return out


def _runs_in(knob: Knob, place: Place, size: int) -> list[list[int]]:
    scratch = Leaf(size)
    return _runs(exchanged(place.layout, knob.leaf, scratch), scratch)


def _runs(axis: Axis, leaf: Leaf) -> list[list[int]]:
    """Return the positions of each projection in an axis: the parts of a sum, or what a factor of 2 or 3 counts."""
    axis = resolve(axis)
    if isinstance(axis, Sum):
        out: list[list[int]] = []
        start = 0
        for part in axis.parts:
            out.extend([start + position for position in run] for run in _runs(part, leaf))
            start += size_of(part)
        return out
    if not any(leaf is inner for inner in leaves(axis)):
        return []
    everything = list(range(size_of(axis)))
    factors: Sequence[Axis] = axis.factors if isinstance(axis, Product) else ()
    for factor in factors:
        if isinstance(factor, Leaf) and factor.pins and factor.size in (2, 3):
            which = coordinates(axis, factor)
            return [[p for p in everything if which[p] == number] for number in range(factor.size)]
    return [everything]
