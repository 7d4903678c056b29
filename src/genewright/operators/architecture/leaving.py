"""What becomes of removed units: which matter least, and who takes over what they did."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

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


def importance(knob: Knob, network: Network) -> NDArray[np.float64]:
    """Return the norm of each unit's rows times the norm of its columns."""
    out = np.ones(knob.size)
    for role in ("writer", "reader"):
        squares = np.zeros(knob.size)
        for place in knob.places:
            if role in place.roles:
                squares += (rows_of(knob, place, network) ** 2).sum(axis=1)
        if squares.any():
            out *= np.sqrt(squares)
    return out


def copies_summed(knob: Knob, gone: Sequence[int], network: Network) -> Iterator[Edit]:
    """Let units that stay take over the columns of removed copies, the last first: as a split comes back exactly."""
    made = [rows_of(knob, place, network) for place in knob.places if "reader" not in place.roles]
    if not made or knob.mixes or knob.norms:
        return
    whole = np.concatenate(made, axis=1)
    removed = set(gone)
    seen: dict[bytes, int] = {}
    for unit in range(knob.size):
        if unit not in removed:
            seen.setdefault(whole[unit].tobytes(), unit)
    moves = [(seen[key], unit) for unit in reversed(gone) if (key := whole[unit].tobytes()) in seen]
    if not moves:
        return
    for place in knob.places:
        if "reader" in place.roles:
            units = np.asarray(knob.units(place))
            pairs = [
                (int(a), int(b))
                for old, unit in moves
                for a, b in zip(np.flatnonzero(units == old), np.flatnonzero(units == unit), strict=True)
            ]
            yield Write(
                tensor=place.tensor,
                values=functools.partial(_summed, axis=place.axis, pairs=pairs),
                summary=f"columns of {len(moves)} copies added to those of their originals along axis {place.axis}",
            )


def _summed(values: NDArray[np.generic], *, axis: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.generic]:
    out = np.moveaxis(np.array(values), axis, 0)
    for kept, gone in pairs:
        out[kept] += out[gone]
        out[gone] = 0
    return np.moveaxis(out, 0, axis)


def taken_over(knob: Knob, gone: Sequence[int], network: Network) -> Iterator[Edit]:
    """Let the columns that stay take over removed rows as combinations of the rows that stay."""
    made = [rows_of(knob, place, network) for place in knob.places if place.roles & {"writer", "carrier"}]
    rows = np.concatenate(made, axis=1)
    kept = [unit for unit in range(knob.size) if unit not in set(gone)]
    share = np.linalg.lstsq(rows[kept].T, rows[list(gone)].T, rcond=None)[0]
    share[~np.isfinite(share)] = 0
    for place in knob.places:
        if "reader" in place.roles:
            units = np.asarray(knob.units(place))
            yield Write(
                tensor=place.tensor,
                values=functools.partial(
                    _taken_over, axis=place.axis, units=units, kept=tuple(kept), gone=tuple(gone), share=share
                ),
                summary=f"columns of {len(gone)} units taken over along axis {place.axis}, by least squares on rows",
            )


def _taken_over(
    values: NDArray[np.generic],
    *,
    axis: int,
    units: NDArray[np.int64],
    kept: Sequence[int],
    gone: Sequence[int],
    share: NDArray[np.floating[Any]],
) -> NDArray[np.generic]:
    out = np.moveaxis(np.array(values), axis, 0)
    old = out.copy()
    for row, unit in enumerate(kept):
        for column, removed in enumerate(gone):
            weight = share[row, column]
            if weight and math.isfinite(weight):
                out[units == unit] += out.dtype.type(weight) * old[units == removed]
    return np.moveaxis(out, 0, axis)
