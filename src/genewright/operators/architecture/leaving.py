"""What becomes of removed copies: units that stay take over their columns."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, Write
from genewright.network import Network
from genewright.widths.knob import Knob, Place


def rows_of(knob: Knob, place: Place, network: Network) -> NDArray[np.float64]:
    """Return the values of a place, one row a unit."""
    values = np.moveaxis(np.asarray(network.read(place.tensor), np.float64), place.axis, 0)
    units = np.asarray(knob.units(place))
    return np.stack([values[units == unit].reshape(-1) for unit in range(knob.size)])


def copies_among(knob: Knob, gone: Sequence[int], network: Network) -> list[tuple[int, int]]:
    """Return (unit that stays, removed unit) for every removed exact copy, the last first."""
    made = [rows_of(knob, place, network) for place in knob.places if "reader" not in place.roles]
    if not made or knob.mixes or knob.norms:
        return []
    whole = np.concatenate(made, axis=1)
    removed = set(gone)
    seen: dict[bytes, int] = {}
    for unit in range(knob.size):
        if unit not in removed:
            seen.setdefault(whole[unit].tobytes(), unit)
    return [(seen[key], unit) for unit in reversed(gone) if (key := whole[unit].tobytes()) in seen]


def copies_summed(knob: Knob, copies: Sequence[tuple[int, int]]) -> Iterator[Edit]:
    """Let units that stay take over the columns of removed copies, in order: as a split comes back exactly."""
    for place in knob.places if copies else ():
        if "reader" in place.roles:
            units = np.asarray(knob.units(place))
            pairs = [
                (int(a), int(b))
                for old, unit in copies
                for a, b in zip(np.flatnonzero(units == old), np.flatnonzero(units == unit), strict=True)
            ]
            yield Write(
                tensor=place.tensor,
                values=functools.partial(_summed, axis=place.axis, pairs=pairs),
                summary=f"columns of {len(copies)} copies added to those of their originals along axis {place.axis}",
            )


def _summed(values: NDArray[np.generic], *, axis: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.generic]:
    out = np.moveaxis(np.array(values), axis, 0)
    for kept, gone in pairs:
        out[kept] += out[gone]
        out[gone] = 0
    return np.moveaxis(out, 0, axis)
