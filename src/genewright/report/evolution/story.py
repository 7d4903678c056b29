"""What a page says of a run, read from its store: columns of all individuals, and the champion's line of descent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import EvolutionError
from genewright.evolution.front import front_of
from genewright.evolution.individual import Genome, Individual
from genewright.evolution.stores.store import Store
from genewright.evolution.values import FITNESS, objectives

_POINTS = 2000  # individuals in a picture of objectives: more hide each other, and each is a row to read


@dataclass(frozen=True, kw_only=True)
class Line:
    """One step of the champion's line of descent.

    Attributes:
        individual: What the step led to.
        gain: Its fitness minus its parent's, None where either has none.
    """

    individual: Individual
    gain: float | None


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Individuals of a run with several objectives.

    Attributes:
        names: What the objectives are called.
        values: Of individuals, (n, objectives).
        front: Those that none of them exceeds in all objectives.
        whole: Whether these are all individuals, or a sample.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    front: tuple[Individual, ...]
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Story:
    """A run as its store holds it. All arrays have one entry an individual, in the order of their numbers.

    Attributes:
        about: What the run is: settings and signatures.
        generation: The generation of each.
        fitness: The first objective; NaN where there is none.
        parent: The number of the first parent; -1 for the base.
        again: Whether it is its parent, evaluated once more.
        mutation: The name of its mutation; "" where there is one alone.
        status: How its evaluation ended.
        seconds: All evaluations together.
        descent: From the base to the champion.
        objectives: Where there are several, else None.
    """

    about: Mapping[str, Any]
    generation: NDArray[np.int64]
    fitness: NDArray[np.float64]
    parent: NDArray[np.int64]
    again: NDArray[np.bool_]
    mutation: Sequence[str]
    status: Sequence[str]
    seconds: float
    descent: tuple[Line, ...]
    objectives: Objectives | None

    @property
    def champion(self) -> Individual:
        """The individual of the best fitness, of equal ones the oldest."""
        return self.descent[-1].individual

    @property
    def gains(self) -> NDArray[np.float64]:
        """The fitness minus the first parent's; NaN where either has none, and for those evaluated once more."""
        gains = self.fitness - np.where(self.parent >= 0, self.fitness[self.parent], np.nan)
        gains[self.again] = np.nan
        return gains


def read_story(store: Store) -> Story:
    """Read a run, which may be going on.

    Raises:
        EvolutionError: No individual has a fitness yet.
    """
    columns = store.columns()
    count = len(columns["number"])
    if count and (columns["number"][0], columns["number"][-1]) != (0, count - 1):
        count = _without_gap(columns["number"])  # of a generation that is being evaluated, some may come before others
    fitness = np.array([np.nan if one is None else one for one in columns["fitness"][:count]], np.float64)
    parent = np.array([-1 if one is None else one for one in columns["parent"][:count]], np.int64)
    again = np.array(columns["reevaluates"][:count], np.bool_)
    champion = _champion(fitness, parent, again)
    if champion is None:
        raise EvolutionError("No individual of this run has a fitness yet, so there is nothing to report.")
    chain = [champion]
    while parent[chain[-1]] >= 0:
        chain.append(int(parent[chain[-1]]))
    gains = [fitness[one] - fitness[parent[one]] if parent[one] >= 0 else np.nan for one in reversed(chain)]
    return Story(
        about=store.about(),
        generation=np.array(columns["generation"][:count], np.int64),
        fitness=fitness,
        parent=parent,
        again=again,
        mutation=columns["mutation"][:count],
        status=columns["status"][:count],
        seconds=float(sum(columns["seconds"][:count])),
        descent=tuple(
            Line(individual=store.individual(one), gain=None if np.isnan(gain) else float(gain))
            for one, gain in zip(reversed(chain), gains, strict=True)
        ),
        objectives=_objectives(store, champion, count),
    )


def ancestry(store: Store, number: int) -> dict[int, Genome]:
    """Return the genomes of an individual and of all whom it descends from, second parents included."""
    found: dict[int, Genome] = {}
    waiting = [number]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = store.individual(one).genome
            waiting.extend(found[one].parents)
    return dict(sorted(found.items()))


def _without_gap(numbers: Sequence[int]) -> int:
    missing = np.flatnonzero(np.asarray(numbers) != np.arange(len(numbers)))
    return int(missing[0]) if len(missing) else len(numbers)


def _champion(fitness: NDArray[np.float64], parent: NDArray[np.int64], again: NDArray[np.bool_]) -> int | None:
    """Return the best, as `Champion` finds it: evaluations made again count for their first individual, by the mean."""
    evaluations: dict[int, list[float]] = {}
    for number in np.flatnonzero(again & ~np.isnan(fitness)).tolist():
        first = number
        while again[first]:
            first = int(parent[first])
        evaluations.setdefault(first, [fitness[first]]).append(fitness[number])
    counted = np.where(again | np.isnan(fitness), -np.inf, fitness)
    for first, values in evaluations.items():
        counted[first] = np.nanmean(values)
    best = int(counted.argmax()) if len(counted) else -1
    return best if best >= 0 and counted[best] > -np.inf else None


def _objectives(store: Store, champion: int, count: int) -> Objectives | None:
    value = store.individual(champion).fitness
    assert value is not None
    if len(objectives(value)) < 2:
        return None
    names = tuple(value) if isinstance(value, dict) else tuple(f"objective {n + 1}" for n in range(len(value)))  # pyright: ignore[reportArgumentType]
    assert FITNESS not in names
    found = [one for one in _sample(store, champion, count) if one.fitness is not None]
    return Objectives(
        names=names,
        values=np.array([objectives(one.fitness) for one in found if one.fitness is not None]),
        front=tuple(front_of(iter(found))),
        whole=count <= _POINTS,
    )


def _sample(store: Store, champion: int, count: int) -> Iterator[Individual]:
    """Yield all individuals, or equally many of every time, and the champion."""
    if count <= _POINTS:
        yield from (one for one in store.individuals() if one.number < count)
        return
    for number in sorted({*np.linspace(0, count - 1, _POINTS).astype(int).tolist(), champion}):
        yield store.individual(number)
