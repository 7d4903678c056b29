"""Larger heads: queries and keys whose scores stay, values that nothing reads yet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Gather, Map, Perturb, Place
from genewright.edits.functions import Scale
from genewright.errors import UnsupportedError
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.architecture.gather_units import gather, tensor_std
from genewright.part import along
from genewright.widths.axes import Axis, Leaf, Product, Sum, coordinates, leaves, resolve, size_of
from genewright.widths.knob import Attribute, Knob, exchanged, with_size
from genewright.widths.knob import Place as KnobPlace
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
    knobs, attributes = resolved_jointly(knob, size, widths)
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


def resolved_jointly(knob: Knob, size: int, widths: Widths) -> tuple[tuple[Knob, ...], tuple[Attribute, ...]]:
    """Return the knobs that get `size` units together, the heads' own first, and the attributes that follow.

    Raises:
        UnsupportedError: They cannot have that many; the reason is named.
    """
    try:
        return (knob,), widths.resolve_attributes(knob, size)
    except UnsupportedError:
        knobs = (knob, *_values_of(knob, widths))
        return knobs, widths.resolve_attributes_jointly(knobs, size)


def shrunk_heads(knob: Knob, kept: Sequence[int], widths: Widths) -> Iterator[Edit]:
    """Yield the edits that leave some units in every head; queries are scaled where the scale derives from the size."""
    size = len(kept)
    knobs, attributes = resolved_jointly(knob, size, widths)
    larger = growth(knob, knob.size + 1, widths)
    scale = 1.0 if larger.scale == 1 else math.sqrt(size / knob.size)
    for at, one in enumerate(knobs):
        places = [with_size(held, knobs[:at], size) for held in one.places]
        yield gather(one, Index.of(kept), attributes=() if at else attributes, places=places)
        for held in one.places if at == 0 and scale != 1 else ():
            queries = _queries(knob, held, size, larger)
            if queries:
                yield _scaled(held, queries, scale)


def _queries(knob: Knob, place: KnobPlace, size: int, found: Growth) -> tuple[int, ...]:
    """Return the positions of the queries among those of a place, at another size than they were found for."""
    if place.tensor not in found.queries:
        return ()
    rows = _runs_in(knob, place, found.size).index(list(found.queries[place.tensor]))
    return tuple(_runs_in(knob, place, size)[rows])


def _scaled(place: KnobPlace, queries: Sequence[int], scale: float) -> Map:
    return Map(tensor=place.tensor, function=Scale(by=scale), part=along(place.axis, queries))


def grown_heads(found: Growth, network: Network) -> Iterator[Edit]:
    """Yield the edits: new queries are zero and all queries scaled, new keys and values drawn, new columns zero."""
    for at, knob in enumerate(found.knobs):
        index = Index.of([*range(knob.size), *[-1] * (found.size - knob.size)])
        new = Index.of(range(knob.size, found.size))
        places = [with_size(held, found.knobs[:at], found.size) for held in knob.places]
        moved = gather(knob, index, new=new, attributes=() if at else found.attributes, places=places)
        yield moved
        for held, edited in zip(knob.places, moved.places, strict=True):
            queries = found.queries.get(held.tensor, ()) if at == 0 else ()
            if queries and found.scale != 1:
                yield _scaled(held, queries, found.scale)
            # The readers' columns are left at zero: they let nothing new through.
            drawn = np.setdiff1d(moved.positions(edited), np.asarray(queries, np.int64))
            if "writer" in held.roles and drawn.size:
                yield _drawn(edited, moved, drawn, network)


def _drawn(place: Place, moved: Gather, positions: NDArray[np.int64], network: Network) -> Perturb:
    return Perturb(
        tensor=place.tensor,
        change=Change(combine="replace", distribution="normal", scale=tensor_std(place.tensor, network)),
        stream=f"{place.tensor}:{place.axis}:{moved.width}",
        part=along(place.axis, positions),
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


def _runs_in(knob: Knob, place: KnobPlace, size: int) -> list[list[int]]:
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
