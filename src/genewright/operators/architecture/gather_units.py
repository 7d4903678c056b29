"""Gather the units of a knob along every axis in which they stand; attributes follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from genewright.edits import Following, Gather, Perturb, Place
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change
from genewright.part import along
from genewright.spread import spread
from genewright.widths import knob as widths
from genewright.widths.knob import Attribute, Knob
from genewright.widths.layouts import layout_of

_FACTORS = ("variance", "scale")
Blank = Callable[[widths.Place], bool]


def gather(
    knob: Knob,
    index: Index,
    *,
    new: Index | None = None,
    blank: Blank = lambda place: False,
    attributes: Sequence[Attribute] = (),
    places: Sequence[widths.Place] | None = None,
) -> Gather:
    """Return the edit that gathers the units of a knob by an index.

    Args:
        knob: The knob, at its old size.
        index: Old units, one for each new unit; -1 for one that comes from none.
        new: The units that are new.
        blank: In which places these start at zero.
        attributes: What follows.
        places: The knob's places, where some of its widths have other sizes by now.
    """
    held = knob.places if places is None else places
    return Gather(
        width=knob.name,
        size=knob.size,
        index=index,
        new=new or Index(),
        places=tuple(Place(p.tensor, p.axis, layout_of(p.layout, knob.leaf), blank(p)) for p in held),
        attributes=tuple(Following(a.layer, a.path, _value(a, index)) for a in attributes),
    )


def _value(attribute: Attribute, index: Index) -> int | list[float]:
    """Return what an attribute becomes: a number, or a list whose entries go with the units."""
    if not attribute.values:
        return attribute.new
    neutral = float(attribute.path.rpartition(".")[2] in _FACTORS)  # of a unit that comes from none
    return [neutral if old < 0 else attribute.values[old] for old in index.array.tolist()]


def draw(moved: Gather, place: Place, network: Network) -> Perturb:
    """Return the edit that draws the new units of a place, at the tensor's own standard deviation."""
    return Perturb(
        tensor=place.tensor,
        change=Change(combine="replace", distribution="normal", scale=tensor_std(place.tensor, network)),
        stream=f"{place.tensor}:{place.axis}",
        part=along(place.axis, moved.positions(place)),
    )


def tensor_std(tensor: str, network: Network) -> float:
    """Return the standard deviation of a tensor; that of its layer's own initialisation where all are equal."""
    size = spread(network.read(tensor))
    if size > 0 and np.isfinite(size):
        return size
    initial = network.initial(tensor)
    if initial is None or initial.distribution == "constant":
        return 0.01
    return initial.scale / 3**0.5 if initial.distribution == "uniform" else initial.scale
