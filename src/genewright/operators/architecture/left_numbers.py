"""What a plan says of what keeps the old size of a width: numbers that other methods read, weights that did not run."""

from __future__ import annotations

from collections.abc import Sequence

from genewright.widths.grouped import grouped
from genewright.widths.knob import Knob
from genewright.widths.widths import Widths

_MOST_NAMED = 6


def note_on(widths: Widths, layer: str | None, knobs: Sequence[Knob] | None = None) -> str:
    """Return a note on whole groups, or on attributes that hold the old size of the widths that a layer writes; or "".

    Args:
        widths: The network's, before the change.
        layer: A layer, a knob, or a pattern.
        knobs: Those that change, where not all do that the pattern stands for.
    """
    channels = grouped(widths, layer)
    if channels is not None:
        return f"{channels.words()} Whole groups come and go."
    left: dict[str, int] = {}
    asleep: list[str] = []
    if knobs is None:
        knobs = () if layer is None else widths.find_all(layer)
    for knob in knobs:
        left |= dict.fromkeys(widths.numbers_left(knob), knob.size)
        asleep += widths.unreached(knob)
    notes: list[str] = []
    if left:
        numbers = _some([f"{name} = {size}" for name, size in left.items()])
        notes.append(f"These numbers are as large as the width was, and stay: {numbers}. Set those that mean it.")
    if asleep:
        weights = _some(list(dict.fromkeys(asleep)))
        notes.append(
            f"The example does not reach these, which may hold the width as well: {weights}. "
            "Several examples that do are a list: example=[(x,), (x, True)]."
        )
    return " ".join(notes)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
