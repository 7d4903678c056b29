"""A heat map of accuracy over the strength and the rate of a mutation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from genewright.report.picture import write_picture


def draw_accuracy_map(
    path: Path,
    strengths: Sequence[float],
    rates: Sequence[float],
    accuracy: Sequence[Sequence[float]],
    *,
    original: float,
    best: tuple[float, float],
) -> None:
    """Write a picture of the accuracy of every mutant.

    Args:
        path: The PNG file; an old one is replaced.
        strengths: The rows, weakest first; drawn from the bottom up.
        rates: The columns.
        accuracy: A row for each strength, a column for each rate.
        original: Accuracy of the original.
        best: Strength and rate of the mutant to be marked.

    Raises:
        FileError: The file cannot be written.
    """
    figure: Any = Figure(figsize=(8.4, 6.0), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(accuracy, origin="lower", aspect="auto", cmap="cividis", vmin=0.0, vmax=1.0)
    for row, line in enumerate(accuracy):
        for column, value in enumerate(line):
            chosen = (strengths[row], rates[column]) == best
            axes.text(
                column,
                row,
                f"{value:.1%}",
                ha="center",
                va="center",
                fontsize=12,
                fontweight="bold" if chosen else "normal",
                color="black" if value > 0.6 else "white",
            )
            if chosen:
                axes.add_patch(_frame(column, row))
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_yticks(range(len(strengths)), [f"{std:g}" for std in strengths])
    axes.set_xlabel("rate: share of the weights and biases that change")
    axes.set_ylabel("std of the noise, in standard deviations of each tensor")
    axes.set_title(
        f"Held-out accuracy of the mutants (original: {original:.1%}; framed: the one saved)", fontsize=12, pad=10
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, format=PercentFormatter(xmax=1, decimals=0))
    bar.outline.set_visible(False)
    write_picture(figure, path)


def _frame(column: int, row: int) -> Any:
    return Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, fill=False, edgecolor="crimson", linewidth=3)
