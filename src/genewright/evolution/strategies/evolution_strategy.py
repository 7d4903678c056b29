"""An evolution strategy: follow an estimate of the fitness's gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.equal_shapes import one_gaussian
from genewright.evolution.strategies.strategy import WORST, Start, State, Strategy, Told, seed_of
from genewright.evolution.values import Value
from genewright.operators.weights.evolution_noise import EvolutionNoise
from genewright.operators.weights.evolution_update import EvolutionUpdate
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer, check_nonnegative, check_positive
from genewright.where import EVERYTHING, Where, WhereSetting, as_where

OPTIMIZERS = ("sgd", "momentum", "adam")
SHAPINGS = ("centered_ranks", "z_scores")


@dataclass
class Center(State):
    """The network in the middle, and the update that will move it."""

    number: int = 0
    noise: EvolutionNoise | None = None
    update: EvolutionUpdate | None = None
    moved: tuple[Child, ...] = ()
    best: tuple[int, float] = (0, WORST)


@dataclass(frozen=True, kw_only=True)
class EvolutionStrategy(Strategy):
    """Perturb one network both ways along random directions, and move it along the directions that paid off.

    With directions z_1, ..., z_n and fitnesses F, g = 1 / (2 n std) sum_i (u_i+ - u_i-) z_i, where u are the shaped
    fitnesses of w + std z_i and w - std z_i: their ranks, from -0.5 to 0.5, or their z-scores. Then w moves along g by
    the optimizer (see `EvolutionUpdate`). The network in the middle is an individual too, the first of each generation:
    its step is told by seeds and weights, so the recipe of a whole run is 16 bytes for each pair.

    `mutation=` is left out, or a `gw.GaussianNoise` whose `std` and `where` hold instead of the ones here.

    Args:
        population: Perturbed networks of each generation, an even number of at least 2.
        std: Standard deviation of the noise, above 0, in units of the weights.
        learning_rate: Factor of the step, above 0.
        optimizer: "sgd", "momentum" or "adam".
        momentum: Decay of the mean of gradients (Adam's beta1), in [0, 1).
        second_moment: Adam's beta2, in [0, 1).
        weight_decay: At least 0.
        rate: The probability that a weight has noise of a direction, in [0, 1].
        rank: None for directions in which each weight goes by itself; else those of low rank (see `EvolutionNoise`),
            which `gw.Batched` evaluates at nearly the cost of the network in the middle.
        shaping: "centered_ranks", or "z_scores": (F - mean) / standard deviation.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.weight.square().sum()), seed=1, generations=20,
        ...     strategy=gw.EvolutionStrategy(population=20, std=0.05, learning_rate=0.05))
        >>> run.best.fitness > -0.5 * float(net.weight.square().sum()), [s.name for s in run.best_recipe.steps][0]
        (True, 'evolution_update')

    References:
        Salimans et al., "Evolution Strategies as a Scalable Alternative to Reinforcement Learning", arXiv:1703.03864,
        algorithm 2 and section 2.1 (mirrored sampling, ranks); Wierstra et al., "Natural Evolution Strategies", JMLR
        15, 2014, section 3.1 (fitness shaping); Sarkar et al., "Evolution Strategies at the Hyperscale",
        arXiv:2511.16652 (directions of low rank).
    """

    inherits: ClassVar[bool] = False

    population: int = 50
    std: float = 0.02
    learning_rate: float = 0.01
    optimizer: Literal["sgd", "momentum", "adam"] = "adam"
    momentum: float = 0.9
    second_moment: float = 0.999
    weight_decay: float = 0.0
    rate: float = 1.0
    rank: int | None = None
    shaping: Literal["centered_ranks", "z_scores"] = "centered_ranks"
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_integer(self, "population", self.population, low=2)
        if self.population % 2:
            raise SettingError(
                f"{type(self).__name__}: population must be even, for each direction is tried both ways; received "
                f"{self.population}."
            )
        for name in ("std", "learning_rate"):
            check_positive(self, name, getattr(self, name))
        check_choice(self, "optimizer", self.optimizer, OPTIMIZERS)
        check_choice(self, "shaping", self.shaping, SHAPINGS)
        check_nonnegative(self, "weight_decay", self.weight_decay)
        object.__setattr__(self, "where", as_where(self.where))
        self._update((1,), (0.0,), self.where)  # refuses the rest

    def begin(self, start: Start) -> Center:
        given = one_gaussian(type(self).__name__, start.mutations)
        std, where = (self.std, self.where) if given is None else (given.std, given.where)
        noise = EvolutionNoise(std=std, rate=self.rate, rank=self.rank, where=where)
        return Center(start, noise=noise, best=(0, self.compared(start.fitness)))

    def breed(self, state: Center, noise: Noise) -> list[Child]:
        state.moved = ()
        middle: int | Child = state.number
        if state.update is not None:
            middle = Child(parents=(state.number,), operator=state.update)
            state.moved = (middle,)
        assert state.noise is not None
        mirrored = replace(state.noise, mirrored=True)
        pairs: list[Child] = []
        for place in range(self.population // 2):
            seed = seed_of(noise.child(place))
            pairs += (Child(parents=(middle,), operator=one, seed=seed) for one in (state.noise, mirrored))
        return [*state.moved, *pairs]

    def learn(self, state: Center, told: Sequence[Told]) -> None:
        assert state.noise is not None
        if state.moved:
            state.number, state.best = told[0].number, (told[0].number, self.compared(told[0].fitness))
        pairs = told[len(state.moved) :]
        shaped = _shaped([self.compared(one.fitness) for one in pairs], self.shaping)
        scale = 1 / (2 * (len(pairs) // 2) * state.noise.std)
        weights = [scale * (up - down) for up, down in zip(shaped[::2], shaped[1::2], strict=True)]
        seeds = [one.child.seed for one in pairs[::2]]
        state.update = self._update(tuple(seeds), tuple(weights), state.noise.where)

    def admit(self, state: Center, number: int, fitness: Value) -> None:
        """Go on from an individual of another island where it is better than the network in the middle."""
        if self.compared(fitness) > state.best[1]:
            state.number, state.update, state.best = number, None, (number, self.compared(fitness))

    def emigrants(self, state: Center, count: int) -> list[tuple[int, Value]]:
        return [state.best] if state.best[1] > WORST else []

    def _update(self, seeds: tuple[int, ...], weights: tuple[float, ...], where: Where) -> EvolutionUpdate:
        return EvolutionUpdate(
            seeds=seeds,
            weights=weights,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            beta1=self.momentum,
            beta2=self.second_moment,
            weight_decay=self.weight_decay,
            rate=self.rate,
            rank=self.rank,
            where=where,
        )


def _shaped(fitnesses: list[float], shaping: str) -> list[float]:
    """Return fitnesses on a scale of their own; those that have none are the worst."""
    if shaping == "centered_ranks":
        return _centered_ranks(fitnesses)
    known = [fitness for fitness in fitnesses if fitness > WORST]
    if not known:
        return [0.0] * len(fitnesses)
    filled = [max(fitness, min(known)) for fitness in fitnesses]
    mean = math.fsum(filled) / len(filled)
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in filled) / len(filled))
    return [(one - mean) / deviation if deviation else 0.0 for one in filled]


def _centered_ranks(fitnesses: list[float]) -> list[float]:
    """Return ranks from -0.5 to 0.5; equal fitnesses share the mean of their ranks."""
    order = sorted(range(len(fitnesses)), key=lambda at: fitnesses[at])
    ranks = [0.0] * len(fitnesses)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and fitnesses[order[end + 1]] == fitnesses[order[start]]:
            end += 1
        for at in order[start : end + 1]:
            ranks[at] = (start + end) / 2
        start = end + 1
    return [rank / max(1, len(ranks) - 1) - 0.5 for rank in ranks]
