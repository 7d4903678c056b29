"""Compensate readers for removed units: constants are folded into biases, the rest is refitted by least squares."""

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
from genewright.operators.architecture.merge_duplicates import unit_rows
from genewright.widths.knob import Knob, Place
from genewright.widths.layouts import by_unit, layout_of

Numbers = NDArray[np.floating[Any]]

_BITS = 30  # of what a forward pass gave: more would differ from machine to machine


def constant_units(knob: Knob, gone: Sequence[int], network: Network) -> list[int]:
    """Return the units among `gone` that nothing is written into: their rows are zero, so their value is constant."""
    rows = [unit_rows(knob, place, network) for place in knob.places if "writer" in place.roles]
    if not rows or knob.mixes or knob.norms:
        return []
    return [unit for unit in gone if not any(of[unit].any() for of in rows)]


def fold_constants(knob: Knob, units: Sequence[int], network: Network) -> Iterator[Edit]:
    """Fold constant units into the biases of their readers: bias += value * column."""
    for place in knob.places if units else ():
        seen = reader_inputs(knob, place, network)
        if "reader" not in place.roles or seen is None:
            continue
        values = seen[0, list(units)]
        if not values.any() or (seen[:, list(units)] != values).any():
            continue  # zero, or not the same everywhere: then there is nothing to fold, or no way
        yield from add_to_bias(knob, place, network, dict(zip(units, map(round_bits, values), strict=True)))


def foldable(knob: Knob, units: Sequence[int], network: Network, *, frozen: bool) -> list[int]:
    """Return those of constant units whose value every reader can take into its bias, or is zero for it.

    Args:
        knob: The width.
        units: Constant units.
        network: The network.
        frozen: A frozen bias may change.
    """
    left = list(units)
    for place in knob.places if units else ():
        if "reader" not in place.roles:
            continue
        seen = reader_inputs(knob, place, network)
        if seen is None:
            return []
        still = {unit for unit in left if (seen[:, unit] == seen[0, unit]).all()}
        bias = bias_of(place, network)
        can = bias is not None and (frozen or network.tensor(bias).trainable)
        left = [unit for unit in left if unit in still and (can or not seen[0, unit].any())]
    return left


def absorb_by_least_squares(knob: Knob, gone: Sequence[int], network: Network) -> Iterator[Edit]:
    """Absorb removed units into the columns of the others by least squares on the example.

    min |A_gone - [A_kept, 1] S|^2 for the values A that a reader receives; its columns' = columns + S columns_gone.
    Where a reader's inputs cannot be seen, A are the rows that make the units.
    """
    kept = [unit for unit in range(knob.size) if unit not in set(gone)]
    made = [unit_rows(knob, place, network) for place in knob.places if place.roles & {"writer", "carrier"}]
    for place in knob.places:
        if "reader" not in place.roles:
            continue
        seen = reader_inputs(knob, place, network)
        values = np.concatenate(made, axis=1).T if seen is None else seen
        shifts = seen is not None and bias_of(place, network) is not None
        known = np.column_stack([values[:, kept], np.ones(len(values))]) if shifts else values[:, kept]
        share = np.linalg.lstsq(known, values[:, list(gone)], rcond=1e-10)[0]
        share = np.vectorize(round_bits, otypes=[np.float64])(np.where(np.isfinite(share), share, 0))
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
            yield from add_to_bias(knob, place, network, dict(zip(gone, share[-1], strict=True)))


def reader_inputs(knob: Knob, place: Place, network: Network) -> Numbers | None:
    """Return the inputs of a reader, a column for each unit and a row for each position."""
    if "reader" not in place.roles or not _is_affine(network.layer(place.layer)):
        return None
    seen = network.structure.layer_inputs(place.layer)
    at = by_unit(layout_of(place.layout, knob.leaf), knob.size)
    if seen is None or seen.shape[1] != place.size:
        return None
    return np.moveaxis(seen[:, at], 1, 2).reshape(-1, knob.size)


def add_to_bias(knob: Knob, place: Place, network: Network, constants: dict[int, float]) -> Iterator[Edit]:
    """Add constant * column to the bias beside a reader's kernel, for some units; nothing where there is none."""
    bias = bias_of(place, network)
    if bias is None:
        return
    kernel = np.moveaxis(np.asarray(network.read(place.tensor), np.float64), place.axis, 0)
    factor = np.asarray([constants.get(unit, 0.0) for unit in knob.units(place)])
    change = np.tensordot(factor, kernel, axes=1)
    change = change.reshape(network.tensor(bias).shape[0], -1).sum(axis=1)
    if not change.any():
        return
    yield Map(tensor=bias, function=Add(by=change))


def bias_of(place: Place, network: Network) -> str | None:
    """Return the bias beside a kernel that a constant can be added to: every output sees the constant alike."""
    layer = network.layer(place.layer)
    if layer.bias not in network.tensors or not _is_affine(layer):
        return None
    if layer.kind == "linear":
        return layer.bias
    edges = layer.is_padded and layer.padding_mode == "zeros"
    return None if edges or layer.groups != 1 else layer.bias


def _is_affine(layer: Layer) -> bool:
    """Whether a layer returns sums of what it receives, weighted by its kernel, and its bias; and nothing else."""
    return layer.plain and layer.kind in ("linear", "convolution", "depthwise_convolution")


def round_bits(value: float) -> float:
    """Return a number that a forward pass gave, to as many bits as are the same on every machine."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**_BITS) / 2**_BITS, exponent)
