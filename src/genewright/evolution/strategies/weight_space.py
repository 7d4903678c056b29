"""What strategies share that search the space of all weights, point by point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.equal_shapes import one_gaussian
from genewright.evolution.strategies.strategy import WORST, Start, State, Strategy, Told, seed_of
from genewright.operators.weights.set_weights import SetWeights
from genewright.part import grid
from genewright.seeding import Noise
from genewright.settings import check_integer, check_positive
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass
class Search(State):
    """A search of a library, and the points that it has asked for."""

    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    std: float = 1.0
    where: WhereSetting = field(default_factory=EVERYTHING)
    search: Any = None
    points: list[NDArray[np.float64]] = field(default_factory=list[NDArray[np.float64]])


@dataclass(frozen=True, kw_only=True)
class WeightSpaceSearch(Strategy, ABC):
    """Searches the chosen weights as a point in R^n; each individual is told by its point.

    Attributes:
        limit: The most weights that it can work with.
        instead: What to take above that.
    """

    inherits: ClassVar[bool] = False
    limit: ClassVar[int]
    instead: ClassVar[str]

    std: float = 0.1
    population: int | None = None
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_positive(self, "std", self.std)
        object.__setattr__(self, "std", float(self.std))
        if self.population is not None:
            check_integer(self, "population", self.population, low=4)
        object.__setattr__(self, "where", as_where(self.where))

    @abstractmethod
    def searching(self, mean: NDArray[np.float64], std: float, seed: int) -> Any:
        """Return the library's search, which asks for points and is told what to minimise."""

    def begin(self, start: Start) -> Search:
        given = one_gaussian(type(self).__name__, start.mutations)
        where, std = (self.where, self.std) if given is None else (given.where, given.std)
        if start.base is None:
            raise SettingError(f"{type(self).__name__} starts from the base's weights. Write start(..., base=model).")
        network = backend_of(start.base).network(start.base)
        parts = [(one.tensor.name, grid(one.part, one.tensor.shape)) for one in where.select(network)]
        mean = np.concatenate([network.read(name)[place].astype(np.float64).reshape(-1) for name, place in parts])
        if mean.size > self.limit:
            raise SettingError(
                f"{type(self).__name__} works with at most {self.limit:,} weights, and {mean.size:,} are chosen. "
                f"Choose fewer (where='head.*'), or take {self.instead}."
            )
        if mean.size < 2 or not np.isfinite(mean).all():
            raise SettingError(
                f"{type(self).__name__} needs at least 2 weights, all of them finite; {mean.size} are chosen."
            )
        return Search(start, mean=mean, std=std, where=where)

    def breed(self, state: Search, noise: Noise) -> list[Child]:
        if state.search is None:
            state.search = self.searching(state.mean, state.std, seed_of(noise) % 2**32)
        state.points = [state.search.ask() for _ in range(state.search.population_size)]
        return [
            Child(parents=(0,), operator=SetWeights(values=tuple(point.tolist()), where=state.where))
            for point in state.points
        ]

    def learn(self, state: Search, told: Sequence[Told]) -> None:
        costs = [-self.compared(one.fitness) for one in told]
        known = [cost for cost in costs if cost < -WORST]
        worst = max(known, default=0.0)
        pairs = zip(state.points, (min(cost, worst) for cost in costs), strict=True)
        state.search.tell(list(pairs))
