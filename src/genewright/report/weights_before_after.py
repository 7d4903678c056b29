"""The tensors of two networks, one in each row: their values, and by how much of the tensor's spread they changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.network import Network
from genewright.report.picture import write_picture
from genewright.tensor import Tensor

_BEFORE, _AFTER = "#355c7d", "#d55e00"
_MOST = 14  # rows: the largest tensors where there are more
_FEW = 60  # changed values that are drawn one by one
_VALUES = 4.0  # spreads on either side
_BINS = 61

Values = NDArray[np.float64]


def draw_weights_before_after(
    path: Path, before: Any, after: Any, *, title: str, strength: float | None = None
) -> None:
    """Write a picture with a row for each trainable tensor, all in units of that tensor's standard deviation.

    On the left the density of the values before (filled) and after (line), about their mean; on the right the changes
    of those that changed: their density, or each of them where they are few.

    Args:
        path: The PNG file; an old one is replaced.
        before: A model.
        after: A mutant of it with the same shapes.
        title: What the mutation was.
        strength: The standard deviation of the change in the same unit, to be marked; None for none.

    Raises:
        FileError: The file cannot be written.
    """
    first, second = backend_of(before).network(before), backend_of(after).network(after)
    tensors = [tensor for tensor in first.tensors.values() if tensor.trainable and tensor.size > 1]
    kept = sorted(sorted(tensors, key=lambda tensor: -tensor.size)[:_MOST], key=tensors.index)
    pairs = [(tensor, _values(first, tensor), _values(second, tensor)) for tensor in kept]
    reach = max((float(np.abs(_changes(old, new)).max(initial=0.0)) for _, old, new in pairs), default=0.0) or 1.0
    figure: Any = Figure(figsize=(8.4, 1.3 + 0.42 * len(pairs)), layout="constrained")
    rows = figure.subplots(len(pairs), 2, squeeze=False, sharex="col", gridspec_kw={"width_ratios": (1, 1)})
    for (tensor, old, new), (left, right) in zip(pairs, rows, strict=True):
        changes = _changes(old, new)
        _draw_values(left, old, new)
        _draw_changes(right, changes, reach, strength)
        left.set_ylabel(f"{tensor.name}\n{old.size:,} values", rotation=0, ha="right", va="center", fontsize=9)
        right.annotate(
            f"{changes.size:,} changed", (1, 0.98), xycoords="axes fraction", ha="right", va="top", fontsize=8
        )
    rows[0][0].set_title("values: before (filled), after (line)", fontsize=11)
    rows[0][1].set_title("change of those that changed", fontsize=11)
    marked = "" if strength is None else f"; dashed: {strength:g}"
    rows[-1][0].set_xlabel("spreads of the tensor, about its mean", fontsize=11)
    rows[-1][1].set_xlabel(f"spreads of the tensor{marked}", fontsize=11)
    more = f" (the {_MOST} largest of {len(tensors)} tensors)" if len(tensors) > _MOST else ""
    figure.suptitle(f"Before and after the mutation: {title}{more}", fontsize=13)
    write_picture(figure, path)


def _values(network: Network, tensor: Tensor) -> Values:
    return network.read(tensor.name).reshape(-1).astype(np.float64)


def _spread(old: Values) -> float:
    return float(old.std()) or 1.0


def _changes(old: Values, new: Values) -> Values:
    """Return the changes of what changed, in spreads."""
    return (new - old)[new != old] / _spread(old)


def _draw_values(axes: Any, old: Values, new: Values) -> None:
    edges = np.linspace(-_VALUES, _VALUES, min(_BINS, max(12, 2 * round(old.size**0.5))))
    centre, spread = old.mean(), _spread(old)
    axes.hist((old - centre) / spread, bins=edges, density=True, color=_BEFORE, alpha=0.45)
    axes.hist((new - centre) / spread, bins=edges, density=True, color=_AFTER, histtype="step", linewidth=1.3)
    axes.set_xlim(-_VALUES, _VALUES)
    _plain(axes)


def _draw_changes(axes: Any, changes: Values, reach: float, strength: float | None) -> None:
    if changes.size > _FEW:
        axes.hist(changes, bins=np.linspace(-reach, reach, _BINS), density=True, color=_AFTER, alpha=0.75)
    else:
        axes.vlines(changes, 0, 0.6, color=_AFTER, linewidth=1.4)
        axes.set_ylim(0, 1)
    axes.axvline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    for place in () if strength is None else (-strength, strength):
        axes.axvline(place, color="#444444", linewidth=1.0, linestyle="--", zorder=3)
    axes.set_xlim(-reach, reach)
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=9)
