"""The edits that move a knob's units: every place is gathered along its axis, attributes follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genewright import bfloat16
from genewright.edit import Edit, Perturb, Reindex, SetAttribute
from genewright.network import Network
from genewright.noise import Change
from genewright.part import along
from genewright.seeding import Noise
from genewright.spread import spread
from genewright.widths.knob import Attribute, Knob, Place


def gather(knob: Knob, place: Place, index: Sequence[int], factor: Sequence[float] | None = None) -> Reindex:
    """Return the edit that gathers one place.

    Args:
        knob: The knob, at its old size.
        place: One of its places.
        index: Old units, one for each new unit; -1 for one that starts at zero.
        factor: A factor a new unit.
    """
    factors: tuple[float, ...] | None = None
    if factor is not None:
        factors = tuple(1.0 if unit < 0 else factor[unit] for unit in map(int, knob.new_units(place, index)))
    return Reindex(tensor=place.tensor, axis=place.axis, index=tuple(knob.moved(place, index).tolist()), factor=factors)


def positions(knob: Knob, place: Place, index: Sequence[int], units: Sequence[int]) -> tuple[int, ...]:
    """Return the new positions of a place that belong to some new units."""
    wanted = set(units)
    return tuple(p for p, unit in enumerate(knob.new_units(place, index)) if unit in wanted)


def draw(
    knob: Knob, place: Place, index: Sequence[int], units: Sequence[int], network: Network, noise: Noise
) -> Perturb:
    """Return the edit that draws some new units of a place anew, at the tensor's own spread."""
    return Perturb(
        tensor=place.tensor,
        change=Change(combine="replace", distribution="normal", scale=own_spread(place.tensor, network)),
        stream=noise.stream(f"{place.tensor}:{place.axis}"),
        part=along(place.axis, positions(knob, place, index, units)),
    )


def own_spread(tensor: str, network: Network) -> float:
    """Return the standard deviation of a tensor; that of its layer's own initialisation where all are equal."""
    size = spread(network.read(tensor))
    if size > 0 and np.isfinite(size):
        return size
    initial = network.initial(tensor)
    if initial is None or initial.distribution == "constant":
        return 0.01
    return initial.scale / 3**0.5 if initial.distribution == "uniform" else initial.scale


def set_attributes(attributes: Sequence[Attribute]) -> Iterator[Edit]:
    """Yield the edits that let attributes follow."""
    for attribute in attributes:
        yield SetAttribute(layer=attribute.layer, attribute=attribute.path, value=attribute.new)


def rounded(values: NDArray[np.generic], dtype: str) -> NDArray[np.generic]:
    """Return numbers as `dtype` holds them, in the type that they are computed in."""
    if dtype == "float16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "bfloat16":
        return bfloat16.to_float32(bfloat16.from_float32(values.astype(np.float32)))
    return values
