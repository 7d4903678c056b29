"""The frame of what a notebook shows: a title, lines, tables, and what a network costs before and after."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from html import escape

from genewright.cost import Cost
from genewright.showing.bars import AFTER, BEFORE, Bar, bars

_CELL = "padding: 0 .8em 0 0; text-align: {side}; font-variant-numeric: tabular-nums; vertical-align: top"
_COUNTS = (("parameters", "parameters"), ("MACs", "macs"), ("bytes", "bytes"))


def fragment(title: str, *parts: str) -> str:
    """Return a fragment of HTML.

    Args:
        title: Its first line, as text.
        *parts: What follows, as HTML: of `table`, `bars`, `histogram`, or `more_line`.
    """
    return f'<div style="line-height: 1.5"><div><b>{escape(title)}</b></div>{"".join(parts)}</div>'


def more_line(text: str) -> str:
    """Return a line of text as HTML; nothing of none."""
    return f"<div>{escape(text)}</div>" if text else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Container[str] = ()) -> str:
    """Return a table of texts.

    Args:
        columns: Their titles.
        rows: Their cells, as text.
        numbers: Columns that stand to the right.

    >>> "<b>" in table(["name"], [["<b>"]])
    False
    """
    styles = [_CELL.format(side="right" if column in numbers else "left") for column in columns]
    head = "".join(f'<th style="{style}">{escape(c)}</th>' for c, style in zip(columns, styles, strict=True))
    body = "".join(
        "<tr>" + "".join(f'<td style="{s}">{escape(c)}</td>' for c, s in zip(row, styles, strict=True)) + "</tr>"
        for row in rows
    )
    style = "border-collapse: collapse; font-size: inherit"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def cost_bars(before: Cost, after: Cost) -> str:
    """Return what a network takes before and after: two bars each for parameters, MACs and bytes."""
    rows: list[Bar] = []
    for said, name in _COUNTS:
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None:
            largest = max(old, new) or 1
            rows.append(Bar(said, ((old / largest, BEFORE),), f"{old:,}"))
            change = f" ({(new - old) / old:+.1%})" if old else ""
            rows.append(Bar("->", ((new / largest, AFTER),), f"{new:,}{change}"))
    return bars(before.to(after), rows, full=1.0)
