"""Merge exact duplicates among removed units: the units that stay absorb their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Share
from genewright.index import Index
from genewright.network import Network
from genewright.widths.knob import Knob, Place
from genewright.widths.layouts import by_unit, layout_of


def unit_rows(knob: Knob, place: Place, network: Network) -> NDArray[np.float64]:
    """Return the values of a place, one row a unit."""
    values = np.moveaxis(np.asarray(network.read(place.tensor), np.float64), place.axis, 0)
    return values[by_unit(layout_of(place.layout, knob.leaf), knob.size)].reshape(knob.size, -1)


def first_of_each(knob: Knob, network: Network) -> list[int]:
    """Return for every unit the first one that equals it in all that makes it; itself, where that says nothing."""
    made = [unit_rows(knob, place, network) for place in knob.places if "reader" not in place.roles]
    if not made or knob.mixes or knob.norms:
        return list(range(knob.size))
    whole = np.concatenate(made, axis=1)
    seen: dict[bytes, int] = {}
    return [seen.setdefault(whole[unit].tobytes(), unit) for unit in range(knob.size)]


def exact_duplicates(knob: Knob, gone: Sequence[int], network: Network) -> list[tuple[int, int]]:
    """Return (unit that stays, removed unit) for every removed exact duplicate, the last first."""
    first = first_of_each(knob, network)
    stays: dict[int, int] = {}
    removed = set(gone)
    for unit in range(knob.size):
        if unit not in removed:
            stays.setdefault(first[unit], unit)
    return [(stays[first[unit]], unit) for unit in reversed(gone) if first[unit] in stays]


def merge_duplicates(knob: Knob, copies: Sequence[tuple[int, int]]) -> Iterator[Edit]:
    """Add the columns of removed duplicates to the units that stay, in order, so that a split is undone exactly."""
    kept = np.array([stays for stays, _ in copies], np.int64)
    gone = np.array([goes for _, goes in copies], np.int64)
    for place in knob.places if copies else ():
        if "reader" in place.roles:
            at = by_unit(layout_of(place.layout, knob.leaf), knob.size)
            yield Share(
                tensor=place.tensor,
                axis=place.axis,
                source=Index.of(at[gone].reshape(-1)),
                target=Index.of(at[kept].reshape(-1)),
                share=np.ones((gone.size * at.shape[1],)),
            )
