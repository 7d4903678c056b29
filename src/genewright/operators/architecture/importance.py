"""How much units matter, by what the weights say, or a measure of `neurons` on the example."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.neurons.measuring import measure_on_example
from genewright.neurons.registry import as_measures, measures_for_pruning
from genewright.noise import permutation
from genewright.observation import UnitLayer
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


def choices() -> tuple[str, ...]:
    """Return all that `by` may be."""
    return (*MEASURES, "random", "last", *measures_for_pruning())


def on_example(by: str, knob: Knob, network: Network, noise: Noise, who: str = "Narrow") -> Numbers:
    """Return a measure of a width's units on the example, turned so that those to be spared first are the smallest.

    Raises:
        UnsupportedError: No layer's units are those of the width, or the measure has no meaning for them.
        ExampleError: There is no example.
    """
    measure = as_measures(who, by)[0]
    around = {name for layer in knob.layers for name in (layer, *holders(layer))}
    of_heads = knob.kind == "heads"
    table = measure_on_example(network, lambda name: of_heads or name in around, measure, noise)
    found = [layer for layer in table.layers if knob.size == layer.units and writes_units(knob, layer)]
    values = [table.filter(table.layer == layer.name)[measure.columns[0]] for layer in found]
    known = [value for value in values if np.isfinite(value).all()]
    if not known:
        raise UnsupportedError(
            f"{who}(by={by!r}): the measure says nothing of the units of {knob.name!r} on this example. Use by='l2', "
            "or name the units yourself."
        )
    return -known[0] if measure.spare == "high" else known[0]


def writes_units(knob: Knob, layer: UnitLayer) -> bool:
    """Whether a layer's units are those of a width, one by one."""
    written = [place for place in knob.places if "writer" in place.roles and place.layer in layer.rows]
    return any(np.array_equal(knob.units(place), layer.rows[place.layer]) for place in written)


def holders(layer: str) -> Iterator[str]:
    """Yield the layers around a layer, the innermost first."""
    while layer := layer.rpartition(".")[0]:
        yield layer


def least_important(by: str, knob: Knob, count: int, network: Network, noise: Noise) -> tuple[int, ...]:
    """Return the units that matter least, in ascending order.

    Args:
        by: A measure of weights, or by name one of `gw.neurons`; "random" for units that the seed draws, "last" for the
            last ones.
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
        values = MEASURES[by](knob, network) if by in MEASURES else on_example(by, knob, network, noise)
        order = np.argsort(values, kind="stable")
    return tuple(sorted(int(unit) for unit in order[:count]))
