"""Bars as SVG text, which browsers and notebooks show and which needs no drawing library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

BEFORE, AFTER, QUIET = "#9aa5b1", "#3f7fb5", "#9aa5b155"
"""Colours of what was, of what is, of what stays (half transparent: quiet on white and on black)."""

_LETTER, _ROW, _LONG, _LABEL = 6.7, 18, 220, 40


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: What stands before it.
        parts: Lengths and colours of its parts, in any unit that all bars share; NaN is no length, infinity all of it.
        said: What stands behind it.
        interval: Lower and upper end of a whisker, in the same unit.
    """

    label: str
    parts: tuple[tuple[float, str], ...]
    said: str = ""
    interval: tuple[float, float] | None = None


def bars(title: str, rows: Sequence[Bar], *, full: float | None = None) -> str:
    """Return horizontal bars, one below the other.

    Args:
        title: What they show, for those who do not see them.
        rows: The bars.
        full: Length of the longest bar that there may be; by default that of the longest.

    >>> bars("units", [Bar("fc1", ((8, AFTER),), "8")]).count("<rect")
    1
    """
    lengths = [sum(one for one, _ in bar.parts if math.isfinite(one)) for bar in rows]
    full = full or max([*lengths, 0]) or 1.0
    left = _LETTER * max([len(_cut(bar.label)) for bar in rows] or [0]) + 10
    right = _LETTER * max([len(bar.said) for bar in rows] or [0]) + 10
    drawn: list[str] = []
    for at, bar in enumerate(rows):
        top, x = at * _ROW, left
        drawn.append(_text(left - 6, top, _cut(bar.label), "end", bar.label))
        for length, colour in bar.parts:
            width = _width(length, full)
            drawn.append(f'<rect x="{x:.1f}" y="{top + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="{colour}"/>')
            x += width
        if bar.interval is not None:
            low, high = (left + _width(end, full) for end in bar.interval)
            middle = top + _ROW / 2
            drawn.append(f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="currentColor" stroke-width="1.5"/>')
            x = max(x, high)
        drawn.append(_text(x + 6, top, bar.said, "start"))
    width, height = left + _LONG + right, len(rows) * _ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height}" '
        f'style="max-width: 100%; display: block" viewBox="0 0 {width:.0f} {height}" font-family="monospace" '
        f'font-size="11" fill="currentColor"><title>{escape(title)}</title>{"".join(drawn)}</svg>'
    )


def _width(length: float, full: float) -> float:
    if math.isnan(length):
        return 0.0
    return _LONG * min(max(length / full, 0.0), 1.0)


def _cut(label: str) -> str:
    if len(label) <= _LABEL:
        return label
    end = _LABEL // 2  # names of layers differ at their ends, those of operators at their beginnings
    return f"{label[: _LABEL - end - 3]}...{label[-end:]}"


def _text(x: float, top: int, text: str, anchor: str, title: str = "") -> str:
    whole = f"<title>{escape(title)}</title>" if title != text and title else ""
    return f'<text x="{x:.1f}" y="{top + _ROW - 5}" text-anchor="{anchor}">{whole}{escape(text)}</text>'
