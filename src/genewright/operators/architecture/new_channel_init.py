"""Initialise new channels of a residual stream, and compensate its norms and readers for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from genewright.edits import Edit, Map, SetAttribute
from genewright.edits.functions import MeanFill, Scale
from genewright.edits.layout import units
from genewright.index import Index
from genewright.network import Network
from genewright.operators.architecture.gather_units import gather
from genewright.part import along
from genewright.widths.knob import Attribute, Knob, Place
from genewright.widths.widths import Widths


def _norm_layers(knob: Knob) -> dict[str, bool]:
    """Return the norms by layer; True where the norm takes the mean away first."""
    written_out = {reason.layer: False for reason in knob.mixes}
    return {**{layer: True for layer, kind in knob.norms if kind == "layer"}, **written_out}


def _padded(knob: Knob, size: int, attributes: Sequence[Attribute], network: Network, widths: Widths) -> Iterator[Edit]:
    norms = _norm_layers(knob)
    new = Index.of(range(knob.size, size))
    moved = gather(knob, Index.of([*range(knob.size), *([-1] * (size - knob.size))]), new=new, attributes=attributes)
    yield moved
    shrink = knob.size / size
    centred = any(widths.subtracts_mean(layer) for layer in norms)
    for place, edited in zip(knob.places, moved.places, strict=True):
        if place.layer in norms:
            if network.tensor(place.tensor).role in ("norm_weight", "parameter") and not _is_shift(place, network):
                yield Map(tensor=place.tensor, function=Scale(by=math.sqrt(shrink)))
        elif centred and ("reader" not in place.roles or "writer" in place.roles):
            fresh = Index.of(moved.positions(edited))
            yield Map(tensor=place.tensor, function=MeanFill(axis=place.axis, new=fresh))
    for layer in norms:
        norm = network.layer(layer)
        if norm.epsilon is not None:
            yield SetAttribute(layer=layer, attribute=norm.settings["epsilon"], value=norm.epsilon * shrink)


def _replicated(
    knob: Knob, size: int, attributes: Sequence[Attribute], network: Network, widths: Widths
) -> Iterator[Edit]:
    times = size // knob.size
    moved = gather(knob, Index.of(np.tile(np.arange(knob.size), times)), attributes=attributes)
    yield moved
    norms = list(_norm_layers(knob))
    tied = any(_is_tied(place) for place in knob.places)
    for place, edited in zip(knob.places, moved.places, strict=True):
        divided = "reader" in place.roles and not _is_tied(place)
        # A tensor that is also an embedding cannot be divided; its input as an output layer is, by its norm.
        if divided or (tied and place.layer == norms[-1]):
            owned = units(edited.layout, size) >= 0
            part = () if owned.all() else along(place.axis, np.flatnonzero(owned))
            yield Map(tensor=place.tensor, function=Scale(by=1 / times), part=part)


def _is_tied(place: Place) -> bool:
    return {"reader", "writer"} <= place.roles


def _is_shift(place: Place, network: Network) -> bool:
    shift = network.layer(place.layer).bias
    return shift is not None and network.tensor(shift).name == place.tensor


NEW_CHANNEL_INITS: dict[str, Callable[[Knob, int, Sequence[Attribute], Network, Widths], Iterator[Edit]]] = {
    "pad": _padded,
    "replicate": _replicated,
}
