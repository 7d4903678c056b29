"""A heat map of lost accuracy over the strength and the rate of a mutation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from genewright.report.picture import write_picture

_TICKS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_DARK = 6.0  # points from which on the colour takes white letters


def draw_accuracy_map(
    path: Path,
    strengths: Sequence[float],
    rates: Sequence[float],
    accuracy: Sequence[Sequence[float]],
    *,
    original: float,
    best: tuple[float, float],
    samples: int,
) -> None:
    """Write a picture of how much accuracy every mutant loses, in points, on a logarithmic scale.

    What loses nothing has the scale's lightest colour; one sample more, the least that can be told, is a step above.

    Args:
        path: The PNG file; an old one is replaced.
        strengths: The rows, weakest first; drawn downwards, as a table is printed.
        rates: The columns.
        accuracy: A row for each strength, a column for each rate.
        original: Accuracy of the original.
        best: Strength and rate of the mutant to be marked.
        samples: How many samples the accuracy is of.

    Raises:
        FileError: The file cannot be written.
    """
    one = 100 / samples
    lost = [[100 * (original - value) for value in line] for line in accuracy]
    figure: Any = Figure(figsize=(8.4, 5.4), layout="constrained")
    axes = figure.subplots()
    none = one / 3
    norm = LogNorm(vmin=none, vmax=100.0, clip=True)
    shown = [[max(value, none) for value in line] for line in lost]
    image = axes.imshow(shown, aspect="auto", cmap="YlOrRd", norm=norm)
    for row, line in enumerate(lost):
        for column, value in enumerate(line):
            chosen = (strengths[row], rates[column]) == best
            axes.text(
                column,
                row,
                _points(value),
                ha="center",
                va="center",
                fontsize=14,
                fontweight="bold" if chosen else "normal",
                color="white" if value > _DARK else "black",
            )
            if chosen:
                axes.add_patch(_frame(column, row))
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates], fontsize=12)
    axes.set_yticks(range(len(strengths)), [f"{std:g}" for std in strengths], fontsize=12)
    axes.set_xlabel("rate: share of the weights and biases that change", fontsize=12)
    axes.set_ylabel("std of the noise, in spreads of each tensor", fontsize=12)
    axes.set_title(
        f"Accuracy lost, in points of {original:.1%}  ({samples} images: one is {one:.2f})\n"
        "framed, and saved: the largest mutation of those that lose least",
        fontsize=12,
        pad=10,
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    ticks = [tick for tick in _TICKS if tick > 2 * none]
    bar = figure.colorbar(image, ax=axes, ticks=FixedLocator([none, *ticks]))
    bar.ax.yaxis.set_major_formatter(FixedFormatter(["none", *(f"{tick:g}" for tick in ticks)]))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.outline.set_visible(False)
    write_picture(figure, path)


def _points(lost: float) -> str:
    """Say a loss in points: a gain has a plus, none is 0."""
    if abs(lost) < 0.005:
        return "0"
    digits = 0 if abs(lost) >= 10 else 1
    return f"{-lost:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _frame(column: int, row: int) -> Any:
    return Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, fill=False, edgecolor="#1f4e79", linewidth=3)
