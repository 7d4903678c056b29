"""Bringing a badly trained network back: its dead units are found, start again, and are trained on."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import genewright as gw
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed
from genewright_demo.framework import Framework

LAYER = "hidden"
_DEAD = f"active_fraction == 0 & layer == '{LAYER}'"


@dataclass(frozen=True, kw_only=True)
class Recycling:
    """What became of the dead units.

    Attributes:
        units: Units of the layer.
        dead: How many of them no training image activates, after training with far too high a learning rate.
        dead_after: The same, when they have started again.
        relative_error: Largest change of an output on the held-out images by that, relative to the largest output.
        accuracy: Held-out accuracy of the badly trained network.
        trained_on: The same, after training it further at a sensible rate.
        recycled_and_trained_on: The same, where dead units have started again before.
    """

    units: int
    dead: int
    dead_after: int
    relative_error: float
    accuracy: float
    trained_on: float
    recycled_and_trained_on: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


def recycle(digits: Digits, framework: Framework, seed: Seed, console: Console) -> Recycling:
    """Train a network badly on purpose, recycle its dead units, and train both on."""
    bad = framework.train_badly(digits, seed, console)
    table = gw.neurons.measure(bad, digits.images, measures="active_fraction")
    dead = table.filter(_DEAD)
    made = bad
    if len(dead):
        chosen = gw.where(units=dead.mask(LAYER))
        made = gw.mutate(bad, gw.RecycleUnits(where=chosen), seed=seed, example=digits.images[:64])
    still = gw.neurons.measure(made, digits.images, measures="active_fraction").filter(_DEAD)
    held = digits.held_images, digits.held_labels
    change = gw.compare(bad, made, held, metrics="accuracy")
    further = [framework.train_further(copy.deepcopy(each), digits, seed, console) for each in (bad, made)]
    after = [gw.compare(bad, each, held, metrics="accuracy").metrics["accuracy"].after for each in further]
    return Recycling(
        units=len(table.filter(f"layer == '{LAYER}'")),
        dead=len(dead),
        dead_after=len(still),
        relative_error=change.relative_error,
        accuracy=change.metrics["accuracy"].before,
        trained_on=after[0],
        recycled_and_trained_on=after[1],
    )


def say_recycling(found: Recycling, console: Console) -> None:
    """Print what became of the dead units."""
    console.say(
        f"  Trained on purpose with far too high a learning rate: {found.dead} of {found.units} units of\n"
        f"  {LAYER!r} are dead, no training image activates them; held-out accuracy {found.accuracy:.2%}.\n"
        "  RecycleUnits gave them fresh incoming weights, and outgoing ones of zero: the outputs\n"
        f"  change by {found.relative_error:.1g}, and {found.dead_after} are dead still.\n"
        f"  Trained on as it was: {found.trained_on:.2%}. Recycled and trained on: {found.recycled_and_trained_on:.2%}."
    )
