"""Matching of units by what they do: those whose activations on the same data go together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genewright.errors import ExampleError, UnsupportedError
from genewright.network import Network
from genewright.neurons.measuring import values_on_example
from genewright.observation import Numbers
from genewright.operators.architecture.importance import holders, writes_units
from genewright.operators.sharing.matching import Orders, best_assignment
from genewright.seeding import Noise
from genewright.widths.knob import Knob

_PLACES = 4096  # samples and positions that correlations are taken over, at most
_DIGITS = 4  # activations are often float32


def match_activations(knobs: Sequence[Knob], fixed: Network, moved: Network, noise: Noise) -> Orders:
    """Return the orders of `moved`'s units with which each goes with a unit of `fixed` on the example.

    For each width the assignment with the largest sum of Pearson's correlations; where several layers put out its
    units, as along a residual stream, their correlations are added. A width whose units are not seen has no entry.

    Args:
        knobs: The widths that may be permuted, of a network of the same form.
        fixed: The network that stays, with the example.
        moved: The network whose units are permuted, with the same example.
        noise: Draws the places that are compared where there are many.

    Raises:
        UnsupportedError: One of the two cannot be run.
        DataError: The example is no batch of samples.
    """
    around = {name for knob in knobs for layer in knob.layers for name in (layer, *holders(layer))}
    heads = any(knob.kind == "heads" for knob in knobs)

    def wanted(name: str) -> bool:
        return heads or name in around

    try:
        theirs, ours = (values_on_example(one, wanted, _PLACES, noise) for one in (fixed, moved))
    except ExampleError:  # there is an example, for the widths are known
        raise UnsupportedError(
            "Activations are those of networks that run, and one of the two is a file. Take 'weights', or give the "
            "model that its tensors belong to: gw.load(factory, path)."
        ) from None
    orders: Orders = {}
    for knob in knobs:
        seen = [name for name, (layer, _) in ours.items() if layer.units == knob.size and writes_units(knob, layer)]
        together = [_correlations(theirs[name][1], ours[name][1]) for name in seen if name in theirs]
        if together:
            orders[knob] = best_assignment(np.sum(together, axis=0), _DIGITS)
    return orders


def _correlations(first: Numbers, second: Numbers) -> Numbers:
    """Return Pearson's correlation of each column of the one with each of the other; 0 for what is constant or NaN."""
    with np.errstate(all="ignore"):
        scaled = [(x - x.mean(axis=0)) / (x.std(axis=0) * np.sqrt(len(x))) for x in (first, second)]
        return np.nan_to_num(scaled[0].T @ scaled[1], nan=0.0, posinf=0.0, neginf=0.0)
