"""Islands: several populations, and a few individuals that move between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.strategy import Start, State, Strategy, Told
from genewright.seeding import Noise
from genewright.settings import check_integer


@dataclass
class Archipelago(State):
    """The states of the islands, and how many children each was asked for."""

    islands: list[Any] = field(default_factory=list[Any])
    sizes: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, kw_only=True)
class Islands(Strategy):
    """Let several populations evolve by one strategy, each by itself, and let the best move on to the next one.

    Every `every` generations the `migrants` best of island i are taken in by island i + 1 (a ring). Populations that
    are apart find different things; that they are told of each other's from time to time joins these.

    Args:
        strategy: What each island does.
        islands: How many, at least 2.
        every: Generations between two migrations, at least 1.
        migrants: How many move on, at least 0.

    Raises:
        SettingError: A setting is out of its range, or the strategy takes in nobody.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.weight.abs().sum()), mutation=gw.GaussianNoise(std=0.1), seed=1,
        ...     strategy=gw.Islands(strategy=gw.HillClimb(children=2), islands=3, every=2), generations=6)
        >>> len(list(run.individuals()))
        37

    References:
        Whitley, Rana and Heckendorn, "The Island Model Genetic Algorithm", Journal of Computing and Information
        Technology 7, 1999; Tanese, "Distributed Genetic Algorithms", ICGA 1989.
    """

    strategy: Strategy
    islands: int = 4
    every: int = 10
    migrants: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.strategy, Strategy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(
                f"Islands: strategy is a strategy such as gw.GeneticAlgorithm(); received {self.strategy!r}."
            )
        check_integer(self, "islands", self.islands, low=2)
        check_integer(self, "every", self.every, low=1)
        check_integer(self, "migrants", self.migrants, low=0)
        if self.migrants and type(self.strategy).admit is Strategy.admit:
            raise SettingError(
                f"Islands: {type(self.strategy).__name__} has no place for individuals of other islands. "
                "Write migrants=0."
            )

    def hands_on(self) -> bool:
        return self.strategy.hands_on()

    def begin(self, start: Start) -> Archipelago:
        states = [
            self.strategy.start(start.mutations, fitness=start.fitness, base=start.base) for _ in range(self.islands)
        ]
        return Archipelago(start, islands=states)

    def breed(self, state: Archipelago, noise: Noise) -> list[Child]:
        asked = [self.strategy.ask(island, noise.child(place)) for place, island in enumerate(state.islands)]
        state.sizes = [len(children) for children in asked]
        return [child for children in asked for child in children]

    def learn(self, state: Archipelago, told: Sequence[Told]) -> None:
        start = 0
        for island, size in zip(state.islands, state.sizes, strict=True):
            island.count = state.count + start
            self.strategy.tell(island, [one.fitness for one in told[start : start + size]])
            start += size
        for island in state.islands:
            island.count = state.count + start
        if self.migrants and (state.generation + 1) % self.every == 0:
            moving = [self.strategy.emigrants(island, self.migrants) for island in state.islands]
            for island, migrants in zip(state.islands, [moving[-1], *moving[:-1]], strict=True):
                for number, fitness in migrants:
                    self.strategy.admit(island, number, fitness)
