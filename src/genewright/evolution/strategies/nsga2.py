"""NSGA-II, with the sorting and the crowding distance of the library pymoo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from genewright.evolution.child import Child
from genewright.evolution.strategies.genetic_algorithm import crossed
from genewright.evolution.strategies.strategy import WORST, Start, State, Strategy, Told, counted, seed_of
from genewright.evolution.values import Value, objectives
from genewright.extras import required
from genewright.noise import choice, uniform01
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer


@dataclass
class Ranked:
    """An individual, its objectives, the front that it is in, and the room around it there."""

    number: int
    values: tuple[float, ...]
    rank: int = 0
    crowding: float = float("inf")


@dataclass
class Fronts(State):
    """The population, sorted into fronts."""

    members: list[Ranked] = field(default_factory=list[Ranked])


@dataclass(frozen=True, kw_only=True)
class NSGA2(Strategy):
    """Search for the front of several objectives: what none exceeds in all of them.

    Parents and children are sorted into fronts; the best fronts survive, of the last one those with the most room
    around them (crowding distance). A parent is the better of two drawn members: of an earlier front, or of the same
    with more room. `run.front` is what has been found.

    The fitness function returns a tuple, or a dict of numbers by name; more is better in each (so return the negative
    of a size or a cost).

    Args:
        population: Members, and children of each generation, at least 2.
        crossover: Share of the children with two parents (see `Crossover`), in [0, 1].

    Raises:
        SettingError: A setting is out of its range.
        MissingExtraError: pymoo is not installed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(2, 1)
        >>> def judged(model):
        ...     return -float((model.bias - 1).abs()), -float((model.bias + 1).abs())
        >>> run = gw.evolve(net, judged, mutation=gw.GaussianNoise(std=0.3), strategy=gw.NSGA2(population=12),
        ...     generations=5, seed=1)
        >>> len(run.front) > 1
        True

    References:
        Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary
        Computation 6(2), 2002, section III; Blank and Deb, "pymoo", IEEE Access 8, 2020.
    """

    several: ClassVar[bool] = True

    population: int = 50
    crossover: float = 0.0

    def __post_init__(self) -> None:
        check_integer(self, "population", self.population, low=2)
        check_fraction(self, "crossover", self.crossover)

    def begin(self, start: Start) -> Fronts:
        self.needs_mutations(start)
        _sorting()
        return Fronts(start, members=[] if start.fitness is None else [Ranked(0, objectives(start.fitness))])

    def breed(self, state: Fronts, noise: Noise) -> list[Child]:
        return [self._child(state, noise.child(place)) for place in range(self.population)]

    def learn(self, state: Fronts, told: Sequence[Told]) -> None:
        counted(self.needs_mutations(state.start), told, _first)
        children = [Ranked(one.number, objectives(one.fitness)) for one in told if one.fitness is not None]
        state.members = survivors([*state.members, *children], self.population)

    def admit(self, state: Fronts, number: int, fitness: Value) -> None:
        state.members = survivors([*state.members, Ranked(number, objectives(fitness))], self.population)

    def emigrants(self, state: Fronts, count: int) -> list[tuple[int, Value]]:
        return [(member.number, member.values) for member in state.members[:count]]

    def _child(self, state: Fronts, noise: Noise) -> Child:
        parent = self._parent(state, noise.child("parent"))
        name, operator = self.needs_mutations(state.start).draw(noise)
        numbers: tuple[int, ...] = (parent.number,)
        if self.crossover and uniform01(noise.stream("crossover")) < self.crossover:
            mate = self._parent(state, noise.child("mate"))
            if mate.number != parent.number:
                numbers = (parent.number, mate.number)
                operator = crossed(operator)
        rival = next(iter(parent.values), WORST)
        return Child(parents=numbers, operator=operator, seed=seed_of(noise), mutation=name, rival=rival)

    def _parent(self, state: Fronts, noise: Noise) -> Ranked:
        members = state.members or [Ranked(0, ())]
        drawn = [members[choice(noise.stream("parent"), (1.0,) * len(members), turn)] for turn in range(2)]
        return min(drawn, key=lambda member: (member.rank, -member.crowding, member.number))


def survivors(members: list[Ranked], count: int) -> list[Ranked]:
    """Return the members that survive: by front, then by crowding distance, then by age."""
    if not members:
        return []
    sorting, crowding = _sorting()
    costs = -np.array([member.values for member in members])
    for rank, front in enumerate(sorting.NonDominatedSorting().do(costs)):
        distances = crowding.calc_crowding_distance(costs[front])
        for at, distance in zip(front.tolist(), distances.tolist(), strict=True):
            members[at].rank, members[at].crowding = rank, distance
    return sorted(members, key=lambda member: (member.rank, -member.crowding, member.number))[:count]


def _sorting() -> tuple[Any, Any]:
    what = {"extra": "objectives", "what": "NSGA2"}
    sorting = required("pymoo.util.nds.non_dominated_sorting", **what)
    return sorting, required("pymoo.operators.survival.rank_and_crowding.metrics", **what)


def _first(fitness: Value | None) -> float:
    return WORST if fitness is None else next(iter(objectives(fitness)))
