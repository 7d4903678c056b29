"""What a plan says of numbers that keep the old size of a width, which other methods than the forward pass may read."""

from __future__ import annotations

from genewright.widths.widths import Widths

_MOST_NAMED = 6


def said_left(widths: Widths, layer: str | None) -> str:
    """Return a note on the attributes that hold the old size of the widths that a layer writes; "" if none does.

    Args:
        widths: The network's, before the change.
        layer: A layer, a knob, or a pattern.
    """
    left: dict[str, int] = {}
    for knob in () if layer is None else widths.find_all(layer):
        left |= dict.fromkeys(widths.numbers_left(knob), knob.size)
    if not left:
        return ""
    named = ", ".join(f"{name} = {size}" for name, size in list(left.items())[:_MOST_NAMED])
    more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
    return f"These numbers are as large as the width was, and stay: {named}{more}. Set those that mean it."
