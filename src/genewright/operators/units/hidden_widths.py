"""The hidden widths of a network, and which of their units `where` chooses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genewright.edits import Perturb
from genewright.errors import SelectionError, UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.part import Part, along
from genewright.where import Where, describe
from genewright.widths.knob import Knob, Place

ZERO = Change(combine="replace", distribution="constant", scale=0.0)


def hidden_units(where: Where, network: Network, who: str) -> list[tuple[Knob, tuple[int, ...]]]:
    """Return the hidden widths that chosen kernels write, each with its chosen units.

    A width is hidden where weights write it and other weights read it, and nothing looks across its units: no layer
    norm, no residual stream, no heads.

    Raises:
        ExampleError: There is no example to see the widths on.
        SelectionError: No chosen kernel writes one.
    """
    chosen = {selected.tensor.name: selected for selected in where.select(network)}
    found: list[tuple[Knob, tuple[int, ...]]] = []
    for knob in network.structure.widths.knobs():
        units: set[int] = set()
        for place in knob.places if knob.hidden and knob.plain else ():
            selected = chosen.get(network.tensor(place.tensor).name)
            if "writer" not in place.roles or selected is None or place.axis != selected.axis:
                continue
            owners = knob.units(place)
            units.update((owners if selected.units is None else owners[list(selected.units)]).tolist())
        units.discard(-1)
        if units:
            found.append((knob, tuple(sorted(units))))
    if not found:
        raise SelectionError(
            f"{who} acts on hidden units: written by weights that `where` chooses ({describe(where)}), read by others, "
            "with nothing that looks across them. There are none. gw.knobs(model, example) lists all widths."
        )
    return found


def part_of(knob: Knob, place: Place, units: tuple[int, ...]) -> Part:
    """Return where some units of a width lie in a place."""
    return along(place.axis, np.flatnonzero(np.isin(knob.units(place), units)))


def silenced(knob: Knob, units: tuple[int, ...], where: Where, network: Network, who: str) -> Iterator[Perturb]:
    """Yield the edits that set the outgoing weights of units to zero.

    Raises:
        UnsupportedError: A reader is frozen.
    """
    for place in knob.places:
        if "reader" in place.roles:
            refuse_frozen(place.tensor, where, network, who)
            yield Perturb(tensor=place.tensor, change=ZERO, stream=place.tensor, part=part_of(knob, place, units))


def refuse_frozen(name: str, where: Where, network: Network, who: str) -> None:
    """Refuse to change a frozen parameter that belongs to chosen units.

    Raises:
        UnsupportedError: It is frozen, and `where` does not say that this is meant.
    """
    if not network.tensor(name).trainable and not where.frozen:
        raise UnsupportedError(
            f"{who}: {name!r} belongs to the chosen units and is frozen. Leave these units out, or write "
            "where=gw.where(..., frozen=True)."
        )
