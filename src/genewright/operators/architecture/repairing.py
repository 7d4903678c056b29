"""What readers do without removed units: what these give as a constant or a combination of the others stays."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, Write
from genewright.network import Network
from genewright.operators.architecture.leaving import rows_of
from genewright.widths.knob import Knob, Place

Numbers = NDArray[np.floating[Any]]

_SUMS = ("Linear", "Dense", "Conv1D", "Conv1d", "Conv2d", "Conv3d")
_BITS = 30  # of what a forward pass gave: more would differ from machine to machine


def constant_units(knob: Knob, gone: Sequence[int], network: Network) -> list[int]:
    """Return the units among `gone` that nothing is written into: their rows are zero, so their value is constant."""
    rows = [rows_of(knob, place, network) for place in knob.places if "writer" in place.roles]
    if not rows or knob.mixes or knob.norms:
        return []
    return [unit for unit in gone if not any(of[unit].any() for of in rows)]


def constants_folded(knob: Knob, units: Sequence[int], network: Network) -> Iterator[Edit]:
    """Yield what adds the columns of constant units, times their values, to the biases of their readers."""
    for place in knob.places if units else ():
        seen = _given(knob, place, network)
        if "reader" not in place.roles or seen is None:
            continue
        values = seen[0, list(units)]
        if not values.any() or (seen[:, list(units)] != values).any():
            continue  # zero, or not the same everywhere: then there is nothing to fold, or no way
        yield from _added(knob, place, network, dict(zip(units, map(_steady, values), strict=True)))


def fitted(knob: Knob, gone: Sequence[int], network: Network) -> Iterator[Edit]:
    """Yield what lets readers take over removed units as the combination of the others that fits best on the example.

    min |A_gone - [A_kept, 1] S|^2 for the values A that a reader is given; its columns' = columns + S columns_gone.
    Where a reader's inputs cannot be seen, A are the rows that make the units.
    """
    kept = [unit for unit in range(knob.size) if unit not in set(gone)]
    made = [rows_of(knob, place, network) for place in knob.places if place.roles & {"writer", "carrier"}]
    for place in knob.places:
        if "reader" not in place.roles:
            continue
        seen = _given(knob, place, network)
        values = np.concatenate(made, axis=1).T if seen is None else seen
        shifts = seen is not None and _bias_of(place, network) is not None
        known = np.column_stack([values[:, kept], np.ones(len(values))]) if shifts else values[:, kept]
        share = np.linalg.lstsq(known, values[:, list(gone)], rcond=1e-10)[0]
        share = np.vectorize(_steady, otypes=[np.float64])(np.where(np.isfinite(share), share, 0))
        yield Write(
            tensor=place.tensor,
            values=functools.partial(
                _taken_over, axis=place.axis, units=knob.units(place).tolist(), kept=kept, gone=tuple(gone), share=share
            ),
            summary=f"columns of {len(gone)} units taken over along axis {place.axis}, by least squares on "
            f"{'the weights' if seen is None else 'the example'}",
        )
        if shifts:
            yield from _added(knob, place, network, dict(zip(gone, share[-1], strict=True)))


def _given(knob: Knob, place: Place, network: Network) -> Numbers | None:
    """Return what a reader is given, a column a unit and a row for each place where they stand together."""
    if "reader" not in place.roles or network.kinds().get(place.layer) not in _SUMS:
        return None
    seen = network.structure.given(place.layer)
    units = np.asarray(knob.units(place))
    counts = {int((units == unit).sum()) for unit in range(knob.size)}
    if seen is None or seen.shape[1] != len(units) or len(counts) != 1:
        return None
    at = np.stack([np.flatnonzero(units == unit) for unit in range(knob.size)])
    return np.moveaxis(seen[:, at], 1, 2).reshape(-1, knob.size)


def _added(knob: Knob, place: Place, network: Network, constants: dict[int, float]) -> Iterator[Edit]:
    bias = _bias_of(place, network)
    if bias is None:
        return
    kernel = np.moveaxis(np.asarray(network.read(place.tensor), np.float64), place.axis, 0)
    factor = np.asarray([constants.get(unit, 0.0) for unit in knob.units(place)])
    change = np.tensordot(factor, kernel, axes=1)
    change = change.reshape(network.tensor(bias).shape[0], -1).sum(axis=1)
    if not change.any():
        return
    yield Write(
        tensor=bias,
        values=functools.partial(_shifted, by=change),
        summary=f"plus the columns of {len(constants)} removed units times what is constant in them",
    )


def _bias_of(place: Place, network: Network) -> str | None:
    """Return the bias beside a kernel that a constant can be added to: every output sees the constant alike."""
    name = f"{place.layer}.bias".lstrip(".")
    kind = network.kinds().get(place.layer, "")
    if name not in network.tensors or kind not in _SUMS:
        return None
    if not kind.startswith("Conv") or kind == "Conv1D":
        return name
    padding = network.attribute(place.layer, "padding")
    edges = padding != "valid" and (isinstance(padding, str) or any(padding))
    zeros = network.attribute(place.layer, "padding_mode") == "zeros"
    return None if (edges and zeros) or network.attribute(place.layer, "groups") != 1 else name


def _steady(value: float) -> float:
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**_BITS) / 2**_BITS, exponent)


def _shifted(values: NDArray[Any], *, by: Numbers) -> NDArray[Any]:
    return values + by.astype(values.dtype)


def _taken_over(
    values: NDArray[Any], *, axis: int, units: Sequence[int], kept: Sequence[int], gone: Sequence[int], share: Numbers
) -> NDArray[Any]:
    out = np.moveaxis(np.array(values), axis, 0)
    held = np.asarray(units)
    columns = [out[held == unit] for unit in gone]
    for row, unit in enumerate(kept):
        for column, removed in enumerate(columns):
            out[held == unit] += out.dtype.type(share[row, column]) * removed
    return np.moveaxis(out, 0, axis)
