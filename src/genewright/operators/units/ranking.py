"""The units of hidden widths in the order in which a network can do without them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genewright.network import Network
from genewright.noise import uniform01
from genewright.operators.architecture.importance import MEASURES, on_example
from genewright.operators.units.prune_budget import Candidate
from genewright.seeding import Noise
from genewright.widths.knob import Knob


def ranked(
    found: Sequence[tuple[Knob, tuple[int, ...]]],
    by: str,
    network: Network,
    noise: Noise,
    who: str,
    *,
    together: bool,
    staying: int = 0,
) -> list[Candidate]:
    """Return units, the least important first.

    Args:
        found: Widths, each with the units in question.
        by: What says how much a unit matters: one of `importance.choices()`.
        network: The network.
        noise: The operator's noise.
        who: The operator, for messages.
        together: Compare units of different widths by their importance over the mean importance in the width; else by
            their rank in it.
        staying: How many units of each width are left out at least, the most important ones.

    Raises:
        UnsupportedError: `by` does not fit a width.
        ExampleError: A measure is to be taken, and there is no example.
    """
    keyed: list[tuple[float, str, int, Candidate]] = []
    for knob, units in found:
        values = _importance(by, knob, network, noise, who)
        mean = float(np.abs(values).mean()) or 1.0
        ascending = sorted(units, key=lambda unit, values=values: (values[unit], unit))
        for rank, unit in enumerate(ascending[: knob.size - staying]):
            key = float(values[unit]) / mean if together else rank / len(units)
            keyed.append((key, knob.name, unit, Candidate(knob, unit)))
    return [candidate for *_, candidate in sorted(keyed, key=lambda each: each[:3])]


def _importance(by: str, knob: Knob, network: Network, noise: Noise, who: str) -> NDArray[np.float64]:
    if by == "random":
        return uniform01(noise.stream(knob.name), np.arange(knob.size))
    if by == "last":
        return -np.arange(knob.size, dtype=np.float64)
    return MEASURES[by](knob, network) if by in MEASURES else on_example(by, knob, network, noise, who)
