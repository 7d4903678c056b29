"""How a run shows itself in a notebook: one line, the course of the fitness, and some generations as numbers."""

from __future__ import annotations

from collections.abc import Sequence

from genewright.evolution.stores.store import Generation
from genewright.showing import fragment, table

_ROWS, _POINTS = 8, 200
_WIDTH, _HEIGHT, _EDGE = 480, 140, 6
_COLUMNS = ("generation", "individuals", "failed", "best", "median", "worst")


def shown_as_html(words: str, generations: Sequence[Generation]) -> str:
    """Return a fragment of HTML without scripts.

    Args:
        words: What the run says of itself in one line.
        generations: What became of each generation.
    """
    known = [one for one in _some(generations, _POINTS) if one.best is not None and one.median is not None]
    picture = _course(known) if len(known) > 1 else ""
    return fragment(words, picture, table(_COLUMNS, map(_cells, _some(generations, _ROWS)), numbers=_COLUMNS))


def lines_of(generations: Sequence[Generation]) -> list[str]:
    """Return a line for the titles and one a generation."""
    rows = [_COLUMNS, *map(_cells, generations)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    return ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]


def _some(generations: Sequence[Generation], most: int) -> list[Generation]:
    """Return generations at equal distances, the first and the last among them."""
    count = min(most, len(generations))
    return [generations[at * (len(generations) - 1) // max(1, count - 1)] for at in range(count)]


def _cells(one: Generation) -> tuple[str, ...]:
    values = ("-" if value is None else f"{value:.5g}" for value in (one.best, one.median, one.worst))
    return (f"{one.number:,}", f"{one.individuals:,}", f"{one.failed:,}", *values)


def _course(known: Sequence[Generation]) -> str:
    best, median = [one.best or 0.0 for one in known], [one.median or 0.0 for one in known]
    low, high = min(median), max(best)
    lines = "".join(
        f'<polyline points="{_points(values, low, high)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        for values, colour in ((median, "#355c7d"), (best, "#e8743b"))
    )
    said = f"best (orange) and median (blue) of each generation, from {low:.5g} to {high:.5g}"
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" style="max-width: {_WIDTH}px; width: 100%"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><title>{said}</title>{lines}</svg>'


def _points(values: Sequence[float], low: float, high: float) -> str:
    span = (high - low) or 1.0
    across = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    up = (_HEIGHT - 2 * _EDGE) / span
    return " ".join(f"{_EDGE + n * across:.1f},{_HEIGHT - _EDGE - (v - low) * up:.1f}" for n, v in enumerate(values))
