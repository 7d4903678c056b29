"""How much units matter, by what the weights alone say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.noise import permutation
from genewright.operators.architecture.merge_duplicates import unit_rows
from genewright.seeding import Noise
from genewright.widths.knob import Knob

Numbers = NDArray[np.float64]


def magnitude(knob: Knob, network: Network) -> Numbers:
    """Return the norm of each unit's rows times the norm of its columns."""
    out = np.ones(knob.size)
    for role in ("writer", "reader"):
        squares = _summed(knob, network, role, np.square)
        if squares.any():
            out *= np.sqrt(squares)
    return out


def l1(knob: Knob, network: Network) -> Numbers:
    """Return the sum of the absolute values of each unit's rows."""
    return _summed(knob, network, "writer", np.abs)


def l2(knob: Knob, network: Network) -> Numbers:
    """Return the Euclidean norm of each unit's rows."""
    return np.sqrt(_summed(knob, network, "writer", np.square))


def batchnorm(knob: Knob, network: Network) -> Numbers:
    """Return the absolute gain that a norm gives each unit.

    Raises:
        UnsupportedError: No norm has a gain a unit here.
    """
    gains = [place for place in knob.places if network.tensor(place.tensor).role == "norm_weight"]
    if not gains:
        raise UnsupportedError(f"Narrow(by='batchnorm'): no norm gives the units of {knob.name!r} gains. Use by='l1'.")
    return np.sum([np.abs(unit_rows(knob, place, network)).sum(axis=1) for place in gains], axis=0)


def _summed(knob: Knob, network: Network, role: str, of: Callable[[Numbers], Numbers]) -> Numbers:
    out = np.zeros(knob.size)
    for place in knob.places:
        if role in place.roles:
            out += of(unit_rows(knob, place, network)).sum(axis=1)
    return out


MEASURES: dict[str, Callable[[Knob, Network], Numbers]] = {
    "magnitude": magnitude,
    "l1": l1,
    "l2": l2,
    "batchnorm": batchnorm,
}
BY = (*MEASURES, "random", "last")


def least_important(by: str, knob: Knob, count: int, network: Network, noise: Noise) -> tuple[int, ...]:
    """Return the units that matter least, in ascending order.

    Args:
        by: A measure; "random" for units that the seed draws, "last" for the last ones.
        knob: The width.
        count: How many.
        network: The network.
        noise: The operator's noise.
    """
    if by == "last":
        return tuple(range(knob.size - count, knob.size))
    if by == "random":
        order = permutation(noise.stream(knob.name), knob.size)
    else:
        order = np.argsort(MEASURES[by](knob, network), kind="stable")
    return tuple(sorted(int(unit) for unit in order[:count]))
