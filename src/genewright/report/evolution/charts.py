"""The page's pictures: as SVG in data URIs, each as wide as a phone, so that its letters need no magnifying glass."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from genewright.evolution.individual import Individual
from genewright.evolution.values import objectives
from genewright.extras import required
from genewright.report.evolution.generations import Course, Payoff
from genewright.report.evolution.layers import LayerChange
from genewright.report.evolution.story import Line, Objectives

_BLUE, _ORANGE, _GREY = "#355c7d", "#e8743b", "#8a8f94"
_WIDTH = 4.6  # inches at 72 points: 331 points, which a phone shows at its own size
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "genewright", "font.family": "sans-serif", "font.size": 9.0}


def draw_course(course: Course) -> str:
    """Draw the fitness over the generations: median, quartiles, tenths, and the best so far."""
    figure, axes = _panel("generation", "fitness")
    at, q = course.generation, course.quantiles
    axes.fill_between(at, q[:, 1], q[:, 5], color=_BLUE, alpha=0.15, linewidth=0, label="10 to 90 %")
    axes.fill_between(at, q[:, 2], q[:, 4], color=_BLUE, alpha=0.3, linewidth=0, label="25 to 75 %")
    axes.plot(at, q[:, 3], color=_BLUE, linewidth=1.4, label="median")
    axes.plot(at, course.best, color=_ORANGE, linewidth=1.6, label="best so far")
    _explain(figure)
    return _uri(figure)


def draw_diversity(course: Course) -> str:
    """Draw the effective number of parents, and of how many children of the base the generations descend."""
    figure, axes = _panel("generation", "individuals (log scale)")
    axes.plot(course.generation, course.parents, color=_BLUE, label="effective number of parents")
    axes.plot(course.generation, course.founders, color=_ORANGE, label="children of the base they descend from")
    axes.set_yscale("log")
    _explain(figure)
    return _uri(figure)


def draw_descent(descent: Sequence[Line]) -> str:
    """Draw the fitness along the champion's line of descent."""
    figure, axes = _panel("generation", "fitness")
    known = [line.individual for line in descent if line.individual.objective is not None]
    at, value = [one.generation for one in known], [one.objective for one in known]
    axes.step(at, value, where="post", color=_ORANGE, linewidth=1.4)
    axes.plot(at, value, "o", color=_ORANGE, markersize=4 if len(known) < 60 else 2)
    return _uri(figure)


def draw_payoffs(payoffs: Sequence[Payoff]) -> str:
    """Draw how often each mutation's children exceeded their parents."""
    figure, axes = _panel("children that exceed their parent, %", "", height=1.1 + 0.3 * len(payoffs))
    share = [100 * one.succeeded / one.tried for one in payoffs][::-1]
    axes.barh([one.name for one in payoffs][::-1], share, color=_BLUE, height=0.6)
    return _uri(figure)


def draw_front(found: Objectives) -> str:
    """Draw the first two objectives of the individuals, and the front."""
    figure, axes = _panel(found.names[0], found.names[1])
    axes.scatter(found.values[:, 0], found.values[:, 1], s=7, color=_GREY, linewidths=0, alpha=0.5, label="individuals")
    exceeded = np.array([values_of(one)[:2] for one in found.front])
    exceeded = exceeded[np.argsort(exceeded[:, 0])]
    line = "-" if len(found.names) == 2 else ""  # of more objectives, the front is no line in two of them
    axes.plot(exceeded[:, 0], exceeded[:, 1], "o", linestyle=line, color=_ORANGE, markersize=4, label="front")
    _explain(figure)
    return _uri(figure)


def draw_weights(change: LayerChange) -> str:
    """Draw the histogram of a layer's trainable values in the original (filled) and in the champion (line)."""
    figure, axes = _panel("value", "values (log scale)", height=2.0)
    both = [values for values in (change.before, change.after) if values is not None and len(values)]
    every = np.concatenate(both)
    edges = np.linspace(float(every.min()), float(every.max()), 41)
    if change.before is not None and len(change.before):
        axes.hist(change.before, bins=edges, color=_BLUE, alpha=0.45, label="original")
    if change.after is not None and len(change.after):
        axes.hist(change.after, bins=edges, color=_ORANGE, histtype="step", linewidth=1.5, label="champion")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    _explain(figure)
    return _uri(figure)


def values_of(individual: Individual) -> tuple[float, ...]:
    """Return an individual's objectives."""
    return () if individual.fitness is None else objectives(individual.fitness)


def has_values(change: LayerChange) -> bool:
    """Whether there is anything to draw of a layer."""
    return any(values is not None and len(values) for values in (change.before, change.after))


def _panel(across: str, up: str, *, height: float = 2.9) -> tuple[Any, Any]:
    figure = required("matplotlib.figure", extra="report", what="A report").Figure(
        figsize=(_WIDTH, height), layout="constrained"
    )
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _explain(figure: Any) -> None:
    """Write below the panel what its colours mean: inside, it would hide something."""
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)


def _uri(figure: Any) -> str:
    written = io.BytesIO()
    with required("matplotlib", extra="report", what="A report").rc_context(_STYLE):
        figure.savefig(written, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(written.getvalue()).decode()
