"""A histogram as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from genewright.showing.bars import AFTER

_WIDTH, _HEIGHT, _EDGE = 220, 44, 14


def histogram(title: str, counts: Sequence[int], low: str, high: str) -> str:
    """Return counts in neighbouring bins as columns; a bin that holds anything shows.

    Args:
        title: What is counted; it stands above.
        counts: How many are in each bin.
        low: What the left end stands for.
        high: What the right end stands for.

    >>> histogram("outputs", [1, 0, 4], "0", "1").count("<rect")
    2
    """
    top, wide = max([*counts, 1]), _WIDTH / max(1, len(counts))
    columns: list[str] = []
    for at, count in enumerate(counts):
        if count:
            tall = max(1.5, _HEIGHT * count / top)
            place = f'x="{at * wide + 0.5:.1f}" y="{_EDGE + 2 + _HEIGHT - tall:.1f}"'
            size = f'width="{wide - 1:.1f}" height="{tall:.1f}"'
            columns.append(f'<rect {place} {size} fill="{AFTER}"><title>{count:,}</title></rect>')
    base, foot = _EDGE + 2 + _HEIGHT, _EDGE + 14 + _HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_WIDTH}" height="{foot + 4}" '
        'style="margin-right: 1.5em" font-family="monospace" font-size="11" fill="currentColor">'
        f'<text x="0" y="{_EDGE - 4}">{escape(title)}</text>{"".join(columns)}'
        f'<path d="M0 {base}H{_WIDTH}" stroke="currentColor" stroke-width="0.7"/>'
        f'<text x="0" y="{foot}">{escape(low)}</text>'
        f'<text x="{_WIDTH}" y="{foot}" text-anchor="end">{escape(high)}</text></svg>'
    )
