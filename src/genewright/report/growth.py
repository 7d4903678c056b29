"""Networks of different size on one plane: how large each is, and how well it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from genewright.report.picture import write_picture

_KEPT, _CHANGED, _TRAINED = "#33659a", "#c0392b", "#2e8b57"


def draw_growth(path: Path, points: Sequence[tuple[str, int, float, str]], *, original: float) -> None:
    """Write a picture of networks: parameters against cross-entropy on held-out data.

    Args:
        path: The PNG file; an old one is replaced.
        points: (name, parameters, cross-entropy, "kept" | "changed" | "trained") of each network.
        original: The original's cross-entropy: a line, on which those stand whose function is kept.

    Raises:
        FileError: The file cannot be written.
    """
    colours = {"kept": _KEPT, "changed": _CHANGED, "trained": _TRAINED}
    labels = {"kept": "same outputs as trained", "changed": "outputs changed", "trained": "trained further"}
    figure: Any = Figure(figsize=(8.4, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(original, color="#bbbbbb", linewidth=1.0, zorder=0)
    for kind, colour in colours.items():
        chosen = [point for point in points if point[3] == kind]
        axes.scatter([p[1] for p in chosen], [p[2] for p in chosen], s=70, color=colour, alpha=0.85, label=labels[kind])
    names: dict[tuple[int, float, str], list[str]] = {}
    for name, size, loss, kind in points:
        names.setdefault((size, loss, kind), []).append(name)
    for place, ((size, loss, kind), named) in enumerate(names.items()):
        axes.annotate(
            "\n".join(named),
            (size, loss),
            xytext=(0, 10 if place % 2 else -10),
            textcoords="offset points",
            ha="center",
            va="bottom" if place % 2 else "top",
            fontsize=9,
            color=colours[kind],
        )
    axes.margins(0.18, 0.25)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("trainable values")
    axes.set_ylabel("cross-entropy on held-out images")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Wider, narrower, deeper, and trained further", fontsize=13)
    axes.legend(frameon=False, loc="best")
    write_picture(figure, path)
