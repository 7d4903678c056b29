"""The weights of two networks, layer by layer: their histograms, and the change of each weight."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.network import Network
from genewright.report.picture import write_picture

_BEFORE, _AFTER = "#355c7d", "#e8743b"
_POINTS = 4000  # more than this in a scatter plot hide each other


def draw_weights_before_after(path: Path, before: Any, after: Any, *, title: str) -> None:
    """Write a picture with two panels a layer.

    Above, the histogram of the layer's trainable values before (filled) and after (line). Below, the change of each
    value against the value before; what did not change lies on the line at zero.

    Args:
        path: The PNG file; an old one is replaced.
        before: A model.
        after: A mutant of it with the same shapes.
        title: What the mutation was.

    Raises:
        FileError: The file cannot be written.
    """
    first, second = backend_of(before).network(before), backend_of(after).network(after)
    layers = [name for name, tensors in first.tensors_by_layer().items() if any(t.trainable for t in tensors)]
    figure: Any = Figure(figsize=(2.7 * len(layers), 5.8), layout="constrained")
    panels = figure.subplots(2, len(layers), squeeze=False)
    for column, layer in enumerate(layers):
        old, new = _values(first, layer), _values(second, layer)
        _draw_histograms(panels[0][column], old, new)
        _draw_changes(panels[1][column], old, new)
        changed = int((old != new).sum())
        panels[0][column].set_title(f"{layer}\n{old.size:,} values, {changed:,} changed", fontsize=10)
    panels[0][0].set_ylabel("values in a bin (log scale)")
    panels[1][0].set_ylabel("change: after minus before")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"Weights and biases before and after the mutation: {title}", fontsize=13)
    write_picture(figure, path)


def _values(network: Network, layer: str) -> NDArray[np.float64]:
    tensors = [tensor for tensor in network.tensors_by_layer()[layer] if tensor.trainable]
    return np.concatenate([network.read(tensor.name).reshape(-1).astype(np.float64) for tensor in tensors])


def _draw_histograms(axes: Any, old: NDArray[np.float64], new: NDArray[np.float64]) -> None:
    both = np.concatenate([old, new])
    bins = min(48, max(12, math.isqrt(old.size)))
    edges = np.linspace(float(both.min()), float(both.max()), bins + 1)
    axes.hist(old, bins=edges, color=_BEFORE, alpha=0.45, label="before")
    axes.hist(new, bins=edges, color=_AFTER, histtype="step", linewidth=1.6, label="after")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_formatter(_plain)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)


def _plain(value: float, _position: int | None) -> str:
    return f"{value:g}"


def _draw_changes(axes: Any, old: NDArray[np.float64], new: NDArray[np.float64]) -> None:
    step = max(1, old.size // _POINTS)
    value, change = old[::step], (new - old)[::step]
    moved = change != 0
    axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.scatter(value[~moved], change[~moved], s=4, color=_BEFORE, linewidths=0, alpha=0.5)
    axes.scatter(value[moved], change[moved], s=9, color=_AFTER, linewidths=0, alpha=0.6)
    axes.set_xlabel("value before")
    axes.spines[["top", "right"]].set_visible(False)
