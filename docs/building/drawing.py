"""The picture of an operator: its docstring's example is run, and the networks before and after are drawn."""

from __future__ import annotations

import doctest
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import genewright as gw

NEW, GONE, CHANGED, SAME = "#2e9e5b", "#c8402f", "#e08a1e", "#8a8f98"
_TENSORS, _CHIPS, _ROWS, _COLUMNS = 3, 7, 24, 24
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Mutation:
    """A network before and after: its layers by name, in words, and its tensors."""

    layers: tuple[dict[str, str], dict[str, str]]
    tensors: tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]


def recorded(example: str, name: str) -> Mutation:
    """Run a docstring's example; return what its last call of `gw.mutate` did.

    Raises:
        ValueError: It never calls `gw.mutate` on a torch module, or it does not run as it says.
    """
    seen: list[Mutation] = []

    def mutate(model: Any, *words: Any, **more: Any) -> Any:
        before = _layers(model), _tensors(model)
        mutant = plain(model, *words, **more)
        seen.append(Mutation((before[0], _layers(mutant)), (before[1], _tensors(mutant))))
        return mutant

    plain: Callable[..., Any] = gw.mutate
    test = doctest.DocTestParser().get_doctest(example, {}, name, None, 0)
    said = io.StringIO()
    gw.mutate = mutate
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False).run(test, out=said.write).failed
    finally:
        gw.mutate = plain
    if failed or not seen:
        raise ValueError(f"{name}: the example {'fails: ' + said.getvalue() if failed else 'mutates no network'}")
    return seen[-1]


def _layers(model: Any) -> dict[str, str]:
    """Return the layers that hold no others, each in a few words."""
    leaves = {n: m for n, m in model.named_modules() if not list(m.children())}
    return {name: _in_words(module) for name, module in leaves.items()}


def _in_words(module: Any) -> str:
    sizes = [v for k, v in vars(module).items() if k in {"in_features", "in_channels", "num_embeddings", "input_size"}]
    sizes += [
        v for k, v in vars(module).items() if k in {"out_features", "out_channels", "embedding_dim", "hidden_size"}
    ]
    if not sizes:
        sizes = [v for k, v in vars(module).items() if k in {"num_features", "normalized_shape"}]
    kernel = getattr(module, "kernel_size", None)
    words = [type(module).__name__, "→".join(str(s) for s in sizes)]
    return " ".join(filter(None, [*words, _TIMES.join(map(str, kernel)) if isinstance(kernel, tuple) else ""]))


def _tensors(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {name: value.detach().float().numpy().copy() for name, value in model.state_dict().items() if value.numel()}


def draw(mutation: Mutation) -> bytes:
    """Return the picture, as SVG: the layers in two rows of chips, and the tensors that changed as heat maps."""
    shown = _changed(*mutation.tensors)[:_TENSORS] or list(mutation.tensors[1])[:_TENSORS]
    with mpl.rc_context({"svg.hashsalt": "genewright", "font.family": "DejaVu Sans", "font.size": 8}):
        figure: Any = Figure(figsize=(7.2, 1.0 + 2.5 * bool(shown)), layout="constrained")
        top, *below = figure.subfigures(2, 1, height_ratios=(1.0, 2.5)) if shown else (figure,)
        _draw_layers(top, *mutation.layers)
        for part in below:
            _draw_tensors(part, shown, *mutation.tensors)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None}, facecolor="white")
    return file.getvalue()


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = [*old, *(n for n in new if n not in old)]
    return [n for n in names if n not in old or n not in new or not np.array_equal(old[n], new[n], equal_nan=True)]


def _draw_layers(figure: Any, old: dict[str, str], new: dict[str, str]) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, _CHIPS + 0.6), ylim=(0, 2))
    for height, mine, other, gone in ((1, old, new, GONE), (0, new, old, NEW)):
        axes.text(0, height + 0.5, "before" if height else "after", va="center", color="#444")
        for place, (name, words) in enumerate(_window(mine, other)):
            colour = gone if name not in other else SAME if other[name] == words else CHANGED
            x = 0.6 + place
            axes.add_patch(
                Rectangle(
                    (x + 0.03, height + 0.08), 0.94, 0.84, facecolor=colour + "26", edgecolor=colour, linewidth=1.2
                )
            )
            label = f"{name[-16:] or 'the model'}\n{words.replace(' ', chr(10), 1)}"
            axes.text(
                x + 0.5, height + 0.5, label, ha="center", va="center", fontsize=6.2, color="#222", linespacing=1.1
            )


def _window(mine: dict[str, str], other: dict[str, str]) -> list[tuple[str, str]]:
    """Return as many layers as fit, around the first that differs."""
    items = list(mine.items())
    names = [*mine, *other]
    differs = [n for n in names if mine.get(n) != other.get(n)]
    first = next((i for i, (n, _) in enumerate(items) if n in differs), 0)
    start = max(0, min(first - 1, len(items) - _CHIPS))
    return items[start : start + _CHIPS]


def _draw_tensors(figure: Any, names: list[str], old: dict[str, Any], new: dict[str, Any]) -> None:
    grid = figure.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        pair = [_matrix(side[name]) if name in side else None for side in (old, new)]
        finite = [np.abs(m[np.isfinite(m)]).ravel() for m in pair if m is not None]
        limit = max(float(np.quantile(np.concatenate(finite), 0.98)), 1e-12)
        rows, columns = (max(m.shape[axis] for m in pair if m is not None) for axis in (0, 1))
        shapes = [_TIMES.join(map(str, side[name].shape)) or "1" for side in (old, new) if name in side]
        grid[0][column].set_title(f"{name[-26:]}  {' → '.join(dict.fromkeys(shapes))}", fontsize=8)
        for row, matrix in enumerate(pair):
            axes = grid[row][column]
            axes.set(xticks=[], yticks=[], xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6))
            axes.set_frame_on(False)
            axes.set_aspect("auto")
            if matrix is None:
                axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color="#777")
                continue
            height, width = matrix.shape
            axes.imshow(
                matrix, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest",
                extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            )  # fmt: skip
            if row:
                _mark(axes, pair[0], matrix)
        if column == 0:
            grid[0][0].set_ylabel("before")
            grid[1][0].set_ylabel("after")


def _mark(axes: Any, old: Any, new: Any) -> None:
    """Frame what is new, and dot what has changed."""
    height, width = new.shape
    was = old.shape if old is not None else (0, 0)
    for x, y, w, h in ((was[1], 0, width - was[1], height), (0, was[0], width, height - was[0])):
        if w > 0 and h > 0:
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), w, h, fill=False, edgecolor=NEW, linewidth=1.8, clip_on=False))
    if old is not None and old.shape == new.shape:
        rows, columns = np.nonzero(~((old == new) | (np.isnan(old) & np.isnan(new))))
        axes.plot(columns, rows, ".", color="black", markersize=5, markeredgecolor="white", markeredgewidth=0.6)


def _matrix(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = value.reshape(value.shape[0], -1) if value.ndim > 1 else value.reshape(1, -1)
    return flat[:_ROWS, :_COLUMNS]
