"""What a plan says of numbers that keep the old size of a width, which other methods than the forward pass may read."""

from __future__ import annotations

from genewright.widths.grouped import grouped
from genewright.widths.widths import Widths

_MOST_NAMED = 6


def note_on(widths: Widths, layer: str | None) -> str:
    """Return a note on whole groups, or on attributes that hold the old size of the widths that a layer writes; or "".

    Args:
        widths: The network's, before the change.
        layer: A layer, a knob, or a pattern.
    """
    channels = grouped(widths, layer)
    if channels is not None:
        return f"{channels.words()} Whole groups come and go."
    left: dict[str, int] = {}
    for knob in () if layer is None else widths.find_all(layer):
        left |= dict.fromkeys(widths.numbers_left(knob), knob.size)
    if not left:
        return ""
    named = ", ".join(f"{name} = {size}" for name, size in list(left.items())[:_MOST_NAMED])
    more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
    return f"These numbers are as large as the width was, and stay: {named}{more}. Set those that mean it."
