"""The ends of a model that have grown or shrunk: the example that it takes then, and the outputs that are still there.

A `Gather` of a width of the model's input or output says where that stands in the example's tensors and in the
outputs. Outputs before and after are compared where both have the unit. Where a softmax makes them, every old one
becomes smaller when there is a new one: there the ratios among the old ones are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Gather
from genewright.edits.layout import length
from genewright.outputs import Outputs

Positions = NDArray[np.int64]
Moves = dict[int, list[tuple[int, Positions]]]

_WHOLE = 1e-6  # how far from 1 the sum of probabilities may be


def input_moves(edits: Iterable[Edit]) -> Moves:
    """Return for the example's tensors, by number, the axes that change and where each new position comes from."""
    moves: Moves = {}
    for edit in _gathers(edits):
        for place in edit.inputs:
            moves.setdefault(int(place.tensor), []).append((place.axis, edit.moved(place)))
    return moves


def input_bytes(edits: Iterable[Edit]) -> int:
    """Return how many positions the example's axes are to have, before any is written down."""
    return sum(8 * length(place.layout, edit.index.size) for edit in _gathers(edits) for place in edit.inputs)


def comparable(before: Outputs, after: Outputs, edits: Sequence[Edit]) -> tuple[Outputs, Outputs]:
    """Return the outputs that are there before and after the edits.

    Args:
        before: Outputs before.
        after: Outputs after.
        edits: What was done in between.
    """
    old, new = list(before.tensors), list(after.tensors)
    for edit in _gathers(edits):
        for place in edit.outputs:
            number = int(place.tensor)
            if not (number < min(len(old), len(new)) and place.axis < min(old[number].ndim, new[number].ndim)):
                continue
            moved = edit.moved(place)
            if new[number].shape[place.axis] != len(moved):
                continue  # then the shapes differ, which is what the comparison says
            stay = np.flatnonzero(moved >= 0)
            old[number] = old[number].take(moved[stay], place.axis)
            whole = new[number]
            new[number] = whole.take(stay, place.axis)
            if edit.softmax and before.tensors[number].dtype.kind == "f":
                old[number], new[number] = _ratios(before.tensors[number], old[number], new[number], place.axis)
    return Outputs(old, before.exact), Outputs(new, after.exact)


def _gathers(edits: Iterable[Edit]) -> Iterator[Gather]:
    return (edit for edit in edits if isinstance(edit, Gather))


def _ratios(whole: NDArray[Any], old: NDArray[Any], new: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return probabilities as shares of those that stay; logarithms of probabilities by their mean less."""
    if _are_one(whole.sum(axis)):
        return old / old.sum(axis, keepdims=True), new / new.sum(axis, keepdims=True)
    with np.errstate(over="ignore"):
        logarithms = _are_one(np.exp(whole).sum(axis))
    if logarithms:
        return old - old.mean(axis, keepdims=True), new - new.mean(axis, keepdims=True)
    return old, new


def _are_one(sums: NDArray[Any]) -> bool:
    return bool(np.all(np.abs(sums - 1) < _WHOLE))
