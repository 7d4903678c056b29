"""Initialise new units of a width: split, zero columns, antisymmetric pairs, or noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genewright.edits import Copy, Edit, Gather, Map, Place, Share
from genewright.edits.functions import Negate
from genewright.index import Index
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operators.architecture.gather_units import draw, gather
from genewright.part import along
from genewright.seeding import Noise
from genewright.widths import knob as widths
from genewright.widths.knob import Attribute, Knob
from genewright.widths.layouts import by_unit


@dataclass(frozen=True)
class Growth:
    """The new units of a knob.

    Attributes:
        knob: The knob.
        index: For each unit the old one that it is or copies.
        new: The new ones.
        attributes: What follows.
    """

    knob: Knob
    index: Index
    new: Index
    attributes: Sequence[Attribute]

    def gathered(self, blank: Callable[[widths.Place], bool] = lambda place: False) -> Gather:
        """Return the edit that copies old units into the new ones, but for places that are `blank`."""
        return gather(self.knob, self.index, new=self.new, blank=blank, attributes=self.attributes)


def growth(
    knob: Knob, added: int, attributes: Sequence[Attribute], *, init: str, placement: str, noise: Noise
) -> Growth:
    """Return where `added` new units stand, and which old unit each copies."""
    donors = (uniform01(noise.stream(f"{knob.name}:donors"), np.arange(added)) * knob.size).astype(np.int64)
    before = added // 2 if placement == "both" else 0
    if init == "pair":
        donors = np.tile(donors[: added // 2], 2)
    index = np.concatenate([donors[:before], np.arange(knob.size), donors[before:]])
    new = np.concatenate([np.arange(before), np.arange(before + knob.size, knob.size + added)])
    return Growth(knob, Index.of(index), Index.of(new), attributes)


def _split(grown: Growth, network: Network, noise: Noise) -> Iterator[Edit]:
    moved = grown.gathered()
    yield moved
    shares = 0.5 + 0.25 * uniform01(noise.stream(f"{grown.knob.name}:shares"), np.arange(grown.new.size))
    old = np.setdiff1d(np.arange(grown.index.size), grown.new.array)  # where the old units stand now, in their order
    for place, edited in zip(grown.knob.places, moved.places, strict=True):
        if "reader" in place.roles:
            at = by_unit(edited.layout, grown.index.size)
            yield Share(
                tensor=place.tensor,
                axis=place.axis,
                source=Index.of(at[old[grown.index.array[grown.new.array]]].reshape(-1)),
                target=Index.of(at[grown.new.array].reshape(-1)),
                share=np.repeat(shares, at.shape[1]),
                fresh=True,
            )


def _zero_columns(grown: Growth, network: Network, noise: Noise) -> Iterator[Edit]:
    yield from _drawn(grown, network, readers=False)


def _noise(grown: Growth, network: Network, noise: Noise) -> Iterator[Edit]:
    yield from _drawn(grown, network, readers=True, biases=True)


def _pair(grown: Growth, network: Network, noise: Noise) -> Iterator[Edit]:
    edits = list(_drawn(grown, network, readers=True))
    yield from edits
    moved = edits[0]
    assert isinstance(moved, Gather)
    half = grown.new.size // 2
    first, second = (Index.of(part) for part in (grown.new.array[:half], grown.new.array[half:]))
    for place, edited in zip(grown.knob.places, moved.places, strict=True):
        if not edited.blank:
            continue  # both of a pair copy one unit
        twin = along(place.axis, moved.positions(edited, second))
        origin = along(place.axis, moved.positions(edited, first))
        yield Copy(tensor=place.tensor, source=place.tensor, part=twin, source_part=origin)
        if "reader" in place.roles:
            yield Map(tensor=place.tensor, function=Negate(), part=twin)


def _drawn(grown: Growth, network: Network, *, readers: bool, biases: bool = False) -> Iterator[Edit]:
    """Yield the edits of all places: kernels are drawn, readers left at zero or drawn, what is carried along copied."""

    def blank(place: widths.Place) -> bool:
        kernel = network.tensor(place.tensor).role in ("kernel", "embedding")
        return kernel or bool(place.roles & {"reader", "writer"})

    moved = grown.gathered(blank)
    yield moved
    for place, edited in zip(grown.knob.places, moved.places, strict=True):
        if (readers or "reader" not in place.roles) if edited.blank else biases and _is_bias(edited, network):
            yield draw(moved, edited, network)


def _is_bias(place: Place, network: Network) -> bool:
    return network.tensor(place.tensor).role == "bias"


NEW_UNIT_INITS: dict[str, Callable[[Growth, Network, Noise], Iterator[Edit]]] = {
    "split": _split,
    "silent": _zero_columns,
    "pair": _pair,
    "noise": _noise,
}
