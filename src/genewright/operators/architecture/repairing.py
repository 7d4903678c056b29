"""What readers do without removed units: what these give as a constant or a combination of the others stays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Map
from genewright.edits.functions import Absorb, Add
from genewright.index import Index
from genewright.layer import Layer
from genewright.network import Network
from genewright.operators.architecture.leaving import rows_of
from genewright.widths.knob import Knob, Place
from genewright.widths.layouts import by_unit, layout_of

Numbers = NDArray[np.floating[Any]]

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
        yield Map(
            tensor=place.tensor,
            function=Absorb(
                axis=place.axis,
                units=Index.of(knob.units(place)),
                kept=Index.of(kept),
                gone=Index.of(gone),
                share=share[: len(kept)],
            ),
        )
        if shifts:
            yield from _added(knob, place, network, dict(zip(gone, share[-1], strict=True)))


def _given(knob: Knob, place: Place, network: Network) -> Numbers | None:
    """Return what a reader is given, a column a unit and a row for each place where they stand together."""
    if "reader" not in place.roles or not _sums(network.layer(place.layer)):
        return None
    seen = network.structure.given(place.layer)
    at = by_unit(layout_of(place.layout, knob.leaf), knob.size)
    if seen is None or seen.shape[1] != place.size:
        return None
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
    yield Map(tensor=bias, function=Add(by=change))


def _bias_of(place: Place, network: Network) -> str | None:
    """Return the bias beside a kernel that a constant can be added to: every output sees the constant alike."""
    layer = network.layer(place.layer)
    if layer.bias not in network.tensors or not _sums(layer):
        return None
    if layer.kind == "linear":
        return layer.bias
    edges = layer.is_padded and layer.padding_mode == "zeros"
    return None if edges or layer.groups != 1 else layer.bias


def _sums(layer: Layer) -> bool:
    """Whether a layer returns sums of what it receives, weighted by its kernel, and its bias; and nothing else."""
    return layer.plain and layer.kind in ("linear", "convolution", "depthwise_convolution")


def _steady(value: float) -> float:
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**_BITS) / 2**_BITS, exponent)
