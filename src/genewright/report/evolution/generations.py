"""What became of the generations: quantiles of the fitness, diversity, and what each mutation led to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.report.evolution.story import Story

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_POINTS = 300  # along the axis of a picture; more generations are taken together


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a run went, at up to 300 points of it. One entry a point.

    Attributes:
        generation: The last generation of those that the point stands for.
        quantiles: Of their fitnesses, (points, 7); NaN where none has one.
        best: The best fitness so far.
        parents: Effective number of parents: 1 / sum p², p the share of children that a parent has.
        founders: Of how many children of the base they descend.
        together: How many generations a point stands for.
    """

    generation: NDArray[np.int64]
    quantiles: NDArray[np.float64]
    best: NDArray[np.float64]
    parents: NDArray[np.float64]
    founders: NDArray[np.int64]
    together: int


@dataclass(frozen=True, kw_only=True)
class Payoff:
    """What became of one mutation's children.

    Attributes:
        name: Its name.
        tried: How many there were.
        refused: How many have no fitness.
        succeeded: How many exceed their parent.
        mean_gain: Of those that do, the mean gain; None without one.
        in_descent: How many steps of the champion's line of descent are its.
    """

    name: str
    tried: int
    refused: int
    succeeded: int
    mean_gain: float | None
    in_descent: int


def course_of(story: Story) -> Course:
    """Return how a run went."""
    last = int(story.generation[-1])
    together = max(1, -(-(last + 1) // _POINTS))
    bins = story.generation // together
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    ends = np.append(starts[1:], len(bins))
    founders = np.array(_founders(story), np.int64)
    so_far = np.fmax.accumulate(story.fitness)
    quantiles = np.full((len(starts), len(QUANTILES)), np.nan)
    parents, lines = np.ones(len(starts)), np.ones(len(starts), np.int64)
    for at, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        found = story.fitness[start:end]
        found = found[~np.isnan(found)]
        if len(found):
            quantiles[at] = np.quantile(found, QUANTILES)
        shares = np.unique(story.parent[start:end], return_counts=True)[1] / (end - start)
        parents[at] = 1 / np.square(shares).sum()
        lines[at] = len(np.unique(founders[start:end]))
    return Course(
        generation=story.generation[ends - 1],
        quantiles=quantiles,
        best=so_far[ends - 1],
        parents=parents,
        founders=lines,
        together=together,
    )


def payoffs_of(story: Story) -> list[Payoff]:
    """Return what became of each mutation's children, those of the most successes first."""
    gains, names = story.gains, np.array(story.mutation, np.str_)
    tried = (story.parent >= 0) & ~story.again
    found: list[Payoff] = []
    for name in sorted(set(names[tried].tolist())):
        own = tried & (names == name)
        better = gains[own & (gains > 0)]
        line = sum(one.individual.mutation == name and not one.individual.reevaluates for one in story.descent[1:])
        found.append(
            Payoff(
                name=name or only_mutation(story.about),
                tried=int(own.sum()),
                refused=int((own & np.isnan(story.fitness)).sum()),
                succeeded=len(better),
                mean_gain=float(better.mean()) if len(better) else None,
                in_descent=line,
            )
        )
    return sorted(found, key=lambda one: (-one.succeeded, one.name))


def only_mutation(about: Mapping[str, Any]) -> str:
    """Return what to call the mutation of a run that has one alone: its operator, or the strategy that moves all."""
    mutations: dict[str, Any] | None = about["mutations"]
    if mutations is None:
        return str(about["strategy"]["is"])
    return str(mutations["operators"][""]["operator"]).partition("@")[0]


def _founders(story: Story) -> list[int]:
    founders: list[int] = []
    parents: list[int] = story.parent.tolist()
    for number, parent in enumerate(parents):
        founders.append(number if parent <= 0 else founders[parent])
    return founders
