"""A picture of units as SVG text, which browsers and notebooks show and which needs no drawing library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from genewright.observation import Numbers

_CELLS = 128  # of a strip: with more units, a cell is the mean of some
_LAYERS = 60
_WIDTH, _HEIGHT, _GAP, _LETTER = 512, 14, 4, 7
_DARK, _LIGHT, _MISSING = (0, 34, 78), (254, 232, 56), "#cccccc"  # the ends of cividis, which the colour-blind can read


def heat_map(title: str, strips: Sequence[tuple[str, Numbers]]) -> str:
    """Return an SVG picture with one strip a layer.

    Args:
        title: What the colours show.
        strips: Names of layers, and one number a unit; NaN is grey. Colours go from the smallest to the largest.
    """
    shown = list(strips[:_LAYERS])
    cells = [(name, _cells(values)) for name, values in shown]
    finite = np.concatenate([np.zeros(0), *(values[np.isfinite(values)] for _, values in cells)])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    label = _LETTER * max([len(name) for name, _ in shown] or [0]) + 8
    top = _HEIGHT + 2 * _GAP
    height = top + len(cells) * (_HEIGHT + _GAP)
    more = f", first {_LAYERS} of {len(strips)} layers" if len(strips) > _LAYERS else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{label + _WIDTH + 8}" height="{height}" '
        'font-family="monospace" font-size="11" fill="currentColor">',
        f'<text x="4" y="{_HEIGHT - 2}">{escape(title)}: {low:.4g} (dark) to {high:.4g} (light){more}</text>',
    ]
    for row, (name, values) in enumerate(cells):
        y = top + row * (_HEIGHT + _GAP)
        parts.append(f'<text x="4" y="{y + _HEIGHT - 3}">{escape(name)}</text>')
        width = _WIDTH / max(1, len(values))
        parts += [
            f'<rect x="{label + at * width:.2f}" y="{y}" width="{width:.2f}" height="{_HEIGHT}" '
            f'fill="{_colour(float(value), low, high)}"/>'
            for at, value in enumerate(values)
        ]
    return "".join([*parts, "</svg>"])


def _cells(values: Numbers) -> Numbers:
    if len(values) <= _CELLS:
        return values
    parts = np.array_split(values, _CELLS)
    return np.array([part[~np.isnan(part)].mean() if (~np.isnan(part)).any() else np.nan for part in parts])


def _colour(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return _MISSING
    share = (value - low) / (high - low) if high > low else 0.5
    mixed = [round(a + share * (b - a)) for a, b in zip(_DARK, _LIGHT, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in mixed)
