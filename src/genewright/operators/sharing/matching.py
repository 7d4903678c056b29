"""Matching of units: the permutations of a network's units that bring it nearest to another of the same form.

A permutation stands in every place of its width (`widths.knob`), so the permuted network computes what it did. Which
permutations there are is read off the widths; nobody lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from genewright.extras import required
from genewright.network import Network
from genewright.noise import permutation
from genewright.seeding import Noise
from genewright.widths.knob import Knob, Place
from genewright.widths.layouts import by_unit, layout_of
from genewright.widths.reasons import Cause
from genewright.widths.widths import Widths

Numbers = NDArray[np.float64]
Order = NDArray[np.int64]
Orders = dict[Knob, Order]
"""For each width the unit that comes to each place; widths that stay as they are have no entry."""

_KEEPS_ANY_ORDER = (Cause.AVERAGED, Cause.CONTRACTED, Cause.SUMMED)
_PASSES = 64  # it ends by itself long before: each pass but the last brings the weights nearer
_DIGITS = 9  # weights are compared in float64
_GAIN = 1e-12  # of the sum: what is smaller is rounding


def permutable(network: Network) -> list[Knob]:
    """Return the widths whose units may change places: all that looks across them does so whatever their order is."""
    widths: Widths = network.structure.widths
    return [
        knob
        for knob in widths.knobs()
        if knob.free
        and knob.size > 1
        and any("writer" in place.roles for place in knob.places)
        and all(kind == "layer" for _, kind in knob.norms)
        and all(reason.cause in _KEEPS_ANY_ORDER for reason in knob.mixes)
    ]


def best_assignment(similarity: Numbers, digits: int) -> Order:
    """Return for each row the column that it takes, each once, so that the sum of what is taken is largest.

    Equal similarities differ by rounding, otherwise on every machine, and would decide: only `digits` of the largest
    one count. Ties go to the order of the rows and columns.
    """
    optimize = required("scipy.optimize", extra="matching", what="Matching the units of two networks")
    counted = np.round(similarity / (np.abs(similarity).max() or 1.0), digits)
    return np.asarray(optimize.linear_sum_assignment(counted, maximize=True)[1], np.int64)


def match_weights(
    knobs: Sequence[Knob], fixed: Network, moved: Network, noise: Noise, known: Mapping[Knob, Order] | None = None
) -> Orders:
    """Return the orders of `moved`'s units with which its weights come near those of `fixed`.

    Coordinate descent on the sum over all tensors of |fixed - permuted|^2: for one width after the other, in an order
    that is drawn, the best assignment while all others stay, until none gains.

    Args:
        knobs: The widths that may be permuted, of a network of the same form.
        fixed: The network that stays.
        moved: The network whose units are permuted.
        noise: Draws the order of the widths in each pass.
        known: Orders that are given already.
    """
    orders: Orders = dict(known or {})
    places = {knob: _weights(knob, moved) for knob in knobs}
    names = {place.tensor for held in places.values() for place in held}
    goal = {name: np.asarray(fixed.read(_name(name, moved, fixed)), np.float64) for name in names}
    now = {name: np.asarray(moved.read(name), np.float64) for name in names}
    for knob, order in orders.items():
        _permute(now, knob, places[knob], order)
    beside = {knob: _beside(knob, places) for knob in knobs}
    waiting: set[Knob] = {knob for knob in knobs if knob not in orders}
    for turn in range(_PASSES):
        turns: list[int] = permutation(noise.stream(f"pass {turn}"), len(knobs)).tolist() if waiting else []
        for knob in (knobs[at] for at in turns):
            if knob not in waiting:
                continue
            waiting.discard(knob)
            order = best_assignment(_similarity(knob, places[knob], goal, now), _DIGITS)
            trial = {place.tensor: now[place.tensor] for place in places[knob]}
            before = _agreement(trial, goal)
            _permute(trial, knob, places[knob], order)
            if _agreement(trial, goal) - before > _GAIN * abs(before):
                now |= trial
                orders[knob] = orders[knob][order] if knob in orders else order
                waiting |= beside[knob] - set(known or ())
    return orders


def positions(orders: Mapping[Knob, Order]) -> dict[tuple[str, int], Order]:
    """Return for each axis of a tensor, by name, where each position comes from once its widths are permuted."""
    found: dict[tuple[str, int], Order] = {}
    for knob, order in orders.items():
        for place in _distinct(knob.places):
            moved = knob.moved(place, order)
            key = place.tensor, place.axis
            found[key] = found[key][moved] if key in found else moved
    return found


def _weights(knob: Knob, network: Network) -> list[Place]:
    """Return the places in weights: running statistics follow, and do not say which unit is which."""
    return [p for p in _distinct(knob.places) if network.tensor(p.tensor).role not in ("statistic", "buffer")]


def _distinct(places: Sequence[Place]) -> list[Place]:
    return list({(place.tensor, place.axis): place for place in places}.values())


def _beside(knob: Knob, places: Mapping[Knob, Sequence[Place]]) -> set[Knob]:
    """Return the widths whose best order may change with this one's: those that share a tensor with it.

    Itself is among them only where it stands in two axes of one tensor, as in the weights of a recurrent state.
    """
    tensors = {place.tensor for place in places[knob]}
    return {
        other
        for other, held in places.items()
        if not tensors.isdisjoint(place.tensor for place in held) and (other is not knob or len(tensors) < len(held))
    }


def _name(name: str, moved: Network, fixed: Network) -> str:
    """Return what the other network calls a tensor, which it may know by another of its names."""
    names = (name, *moved.tensor(name).aliases)
    return next((fixed.tensor(each).name for each in names if each in fixed.tensors), name)


def _similarity(
    knob: Knob, places: Sequence[Place], goal: Mapping[str, Numbers], now: Mapping[str, Numbers]
) -> Numbers:
    out = np.zeros((knob.size, knob.size))
    for place in places:
        out += _rows(knob, place, goal[place.tensor]) @ _rows(knob, place, now[place.tensor]).T
    return out


def _rows(knob: Knob, place: Place, values: Numbers) -> Numbers:
    by_position = np.moveaxis(values, place.axis, 0)
    return by_position[by_unit(layout_of(place.layout, knob.leaf), knob.size)].reshape(knob.size, -1)


def _permute(values: dict[str, Numbers], knob: Knob, places: Sequence[Place], order: Order) -> None:
    for place in places:
        values[place.tensor] = np.take(values[place.tensor], knob.moved(place, order), axis=place.axis)


def _agreement(values: Mapping[str, Numbers], goal: Mapping[str, Numbers]) -> float:
    return sum(float(np.vdot(goal[name], one)) for name, one in values.items())
