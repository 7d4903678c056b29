"""How new units of a residual stream are filled, and what of its norms and readers makes up for them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, SetAttribute, Write
from genewright.network import Network
from genewright.operators.architecture.moving import gather
from genewright.widths.knob import Knob, Place
from genewright.widths.widths import Widths


def _norm_layers(knob: Knob) -> dict[str, bool]:
    """Return the norms by layer; True where the norm takes the mean away first."""
    written_out = {reason.layer: False for reason in knob.mixes}
    return {**{layer: True for layer, kind in knob.norms if kind == "layer"}, **written_out}


def _padded(knob: Knob, size: int, network: Network, widths: Widths) -> Iterator[Edit]:
    norms = _norm_layers(knob)
    index = [*range(knob.size), *([-1] * (size - knob.size))]
    shrink = knob.size / size
    centred = any(widths.centres(layer) for layer in norms)
    for place in knob.places:
        yield gather(knob, place, index)
        if place.layer in norms:
            if network.tensor(place.tensor).role in ("norm_weight", "parameter") and not _is_shift(place):
                yield Write(
                    tensor=place.tensor,
                    values=functools.partial(_scaled, by=math.sqrt(shrink)),
                    summary=f"gain times sqrt({knob.size} / {size})",
                )
        elif centred and ("reader" not in place.roles or "writer" in place.roles):
            yield Write(
                tensor=place.tensor,
                values=functools.partial(_mean_filled, axis=place.axis, new=_new(knob, place, index)),
                summary=f"new entries along axis {place.axis} are the mean of the old ones",
            )
    for layer in norms:
        held = widths.epsilon(layer)
        if held is not None:
            attribute, value = held
            yield SetAttribute(layer=layer, attribute=attribute, value=value * shrink)


def _replicated(knob: Knob, size: int, network: Network, widths: Widths) -> Iterator[Edit]:
    times = size // knob.size
    index = list(range(knob.size)) * times
    norms = list(_norm_layers(knob))
    tied = any(_is_tied(place) for place in knob.places)
    for place in knob.places:
        divided = "reader" in place.roles and not _is_tied(place)
        # A tensor that is also an embedding cannot be divided; what is given to it as an output is, by its norm.
        divided = divided or (tied and place.layer == norms[-1])
        yield gather(knob, place, index, [1 / times] * size if divided else None)


def _is_tied(place: Place) -> bool:
    return {"reader", "writer"} <= place.roles


def _new(knob: Knob, place: Place, index: list[int]) -> tuple[int, ...]:
    return tuple(p for p, unit in enumerate(knob.new_units(place, index)) if unit >= 0 and index[unit] < 0)


def _is_shift(place: Place) -> bool:
    return place.tensor.rsplit(".", 1)[-1] in ("bias", "beta", "shift")


def _scaled(values: NDArray[np.generic], *, by: float) -> NDArray[np.generic]:
    return np.multiply(values, by)


def _mean_filled(values: NDArray[np.generic], *, axis: int, new: tuple[int, ...]) -> NDArray[np.generic]:
    out = np.moveaxis(np.array(values), axis, 0)
    fresh = np.zeros(len(out), np.bool_)
    fresh[list(new)] = True
    out[fresh] = out[~fresh].astype(np.float64).mean(axis=0)
    return np.moveaxis(out, 0, axis)


STREAM_FILLS: dict[str, Callable[[Knob, int, Network, Widths], Iterator[Edit]]] = {
    "pad": _padded,
    "replicate": _replicated,
}
