"""Of the widths that a pattern stands for, those that can change so: the others stay, and the plan says which."""

from __future__ import annotations

from collections.abc import Callable

from genewright.errors import SettingError, UnsupportedError
from genewright.names import is_pattern
from genewright.operators.architecture.left_numbers import note_on
from genewright.widths.grouped import grouped
from genewright.widths.knob import Knob
from genewright.widths.widths import Widths, refuse_overlaps

_MOST_NAMED = 4

Chosen = tuple[tuple[Knob, ...], dict[str, str]]
"""The knobs that change, and why others stay, by name."""


def those_that_can(
    who: str,
    layer: str | None,
    widths: Widths,
    obstacle: Callable[[Knob], str],
    size: Callable[[Knob], int | None],
) -> Chosen:
    """Return the knobs to change, and why the others that a pattern stands for stay.

    A plain name has to be able to change: its knob is returned whatever speaks against it, for the operator to refuse.

    Args:
        who: The operator's name, for messages.
        layer: A layer, a knob, or a pattern of either.
        widths: The network's.
        obstacle: Says why a knob cannot change, or "".
        size: Its new size, or None where nothing else has to follow it; refuses what is no size.

    Raises:
        UnknownNameError: Nothing is called so.
        UnsupportedError: None of those that the pattern stands for can change, or two stand in one axis.
    """
    assert layer is not None  # resolved before
    if not is_pattern(layer):
        return widths.find_all(layer), {}
    can: list[Knob] = []
    stay: dict[str, str] = {}
    for knob in widths.matching(layer):
        why = obstacle(knob)
        try:
            if not why and (new := size(knob)) is not None:
                widths.resolve_attributes(knob, new)
        except (SettingError, UnsupportedError) as error:
            why = str(error)
        if why:
            stay[knob.name] = why
        else:
            can.append(knob)
    if not can:
        name, why = next(iter(stay.items()))
        more = f", nor any of the {len(stay) - 1} others that {layer!r} stands for" if len(stay) > 1 else ""
        raise UnsupportedError(f"{who}: no width can change so: {name!r} {why.rstrip('.')}{more}.")
    refuse_overlaps(can)
    return tuple(can), stay


def note_of(widths: Widths, layer: str | None, chosen: Callable[[Widths], Chosen]) -> str:
    """Return what a plan says of the widths that stay, and of numbers that keep the old size of those that change.

    Args:
        widths: The network's, before the change.
        layer: What the operator was given.
        chosen: Says which knobs change, and why others stay, as `those_that_can` does.
    """
    if layer is None or grouped(widths, layer) is not None:
        return note_on(widths, layer)
    can, stay = chosen(widths)
    named = "; ".join(f"{name!r} {why.rstrip('.')}" for name, why in list(stay.items())[:_MOST_NAMED])
    more = f"; and {len(stay) - _MOST_NAMED} more" if len(stay) > _MOST_NAMED else ""
    left = f"{len(stay)} widths that the pattern stands for stay: {named}{more}." if stay else ""
    return " ".join(filter(None, (left, note_on(widths, layer, can))))
