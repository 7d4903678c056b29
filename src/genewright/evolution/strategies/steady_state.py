"""Steady state: a few children at a time, each of which replaces somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.genetic_algorithm import Member, best_first
from genewright.evolution.strategies.strategy import WORST, Start, State, Strategy, Told, counted, seed_of
from genewright.evolution.strategies.strength import SelfAdaptive
from genewright.evolution.values import Value
from genewright.noise import choice
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer

_TOURNAMENT, _BATCH = 10, 8  # where nobody says how many


@dataclass
class Queue(State):
    """The members of the population, the oldest first."""

    members: list[Member] = field(default_factory=list[Member])


@dataclass(frozen=True, kw_only=True)
class SteadyState(Strategy):
    """Mutate the best of a few members drawn from the population; the child replaces the oldest, or the worst.

    `batch` children are asked for at once, and told in the order in which they were asked for. So several workers have
    something to do, and the run is the same for any number of them.

    Args:
        population: Members, at least 2; the first ones are mutants of the base.
        tournament: Members drawn for each parent, whose best it is, from 1 to the population; None for 10, or for the
            population where that is smaller.
        batch: Children of each generation, from 1 to the population; None for 8, or for the population likewise.
        replaces: "oldest" (regularized evolution: what is good has to stay good in its children) or "worst".
        strength: `SelfAdaptive`, where the mutation's strength should adapt; None leaves it.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.weight.abs().sum()), mutation=gw.GaussianNoise(std=0.1), seed=1,
        ...     strategy=gw.SteadyState(population=10, tournament=3, batch=2), evaluations=60)
        >>> run.best.fitness > -float(net.weight.abs().sum())
        True

    References:
        Real et al., "Regularized Evolution for Image Classifier Architecture Search", arXiv:1802.01548, algorithm 1;
        Whitley, "The GENITOR Algorithm and Selection Pressure", ICGA 1989 (the worst is replaced).
    """

    population: int = 50
    tournament: int | None = None
    batch: int | None = None
    replaces: Literal["oldest", "worst"] = "oldest"
    strength: SelfAdaptive | None = None

    def __post_init__(self) -> None:
        check_integer(self, "population", self.population, low=2)
        for name in ("tournament", "batch"):
            if getattr(self, name) is not None:
                check_integer(self, name, getattr(self, name), low=1, high=self.population)
        check_choice(self, "replaces", self.replaces, ("oldest", "worst"))
        if self.strength is not None and not isinstance(self.strength, SelfAdaptive):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"SteadyState: strength is gw.SelfAdaptive() or None; received {self.strength!r}.")

    def begin(self, start: Start) -> Queue:
        self.needs_mutations(start, strength=self.strength)
        return Queue(start, members=[Member(0, self.compared(start.fitness))])

    def breed(self, state: Queue, noise: Noise) -> list[Child]:
        return [self._child(state, noise.child(place)) for place in range(self.batch or min(_BATCH, self.population))]

    def learn(self, state: Queue, told: Sequence[Told]) -> None:
        counted(self.needs_mutations(state.start), told, self.compared)
        for one in told:
            fitness = self.compared(one.fitness)
            if fitness > WORST:
                self._take_in(state, Member(one.number, fitness, one.child.strength))

    def admit(self, state: Queue, number: int, fitness: Value) -> None:
        self._take_in(state, Member(number, self.compared(fitness)))

    def emigrants(self, state: Queue, count: int) -> list[tuple[int, Value]]:
        return [(member.number, member.fitness) for member in best_first(state.members)[:count]]

    def _take_in(self, state: Queue, member: Member) -> None:
        if len(state.members) >= self.population:
            going = state.members[0] if self.replaces == "oldest" else best_first(state.members)[-1]
            state.members.remove(going)
        state.members.append(member)

    def _child(self, state: Queue, noise: Noise) -> Child:
        first = len(state.members) < self.population  # until the population is whole, all descend from the base
        drawn = [
            state.members[0 if first else choice(noise.stream("parent"), (1.0,) * len(state.members), turn)]
            for turn in range(1 if first else self.tournament or min(_TOURNAMENT, self.population))
        ]
        parent = best_first(drawn)[0]
        name, operator = self.needs_mutations(state.start).draw(noise)
        return Child(
            parents=(parent.number,),
            operator=operator,
            seed=seed_of(noise),
            strength=self.strength.inherited(parent.strength, operator, noise) if self.strength else 1.0,
            mutation=name,
            rival=parent.fitness,
        )
