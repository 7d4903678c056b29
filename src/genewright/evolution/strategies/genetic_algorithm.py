"""A genetic algorithm on the weights and the architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.strategy import Start, State, Strategy, Told, counted, seed_of
from genewright.evolution.strategies.strength import OneFifth, SelfAdaptive
from genewright.evolution.values import Value
from genewright.noise import choice, uniform01
from genewright.operator import AnyOperator
from genewright.operators.combinators.sequence import Sequence as InOrder
from genewright.operators.sharing.crossover import Crossover
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer

_PARENTS = 10  # where nobody says how many


@dataclass
class Member:
    """An individual of a population.

    Attributes:
        number: Its number.
        fitness: The number that is compared: the mean of its evaluations.
        strength: The strength that its mutation had.
        evaluations: How often it was evaluated.
    """

    number: int
    fitness: float
    strength: float = 1.0
    evaluations: int = 1


@dataclass
class Population(State):
    """The members from which parents are taken, the best first; and the strength where all share one."""

    members: list[Member] = field(default_factory=list[Member])
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class GeneticAlgorithm(Strategy):
    """Mutate the best individuals of each generation.

    Each child is the mutation of a parent drawn from the `parents` best of the last generation (truncation selection),
    or of the best of `tournament` members drawn from it. The `elites` best stay in the population as they are. A share
    `crossover` of the children takes units of a second parent before the mutation. No gradient is used.

    Args:
        population: Children of each generation, at least 2.
        parents: How many of the best may have children (truncation), from 1 to population + elites; None for 10, or
            for all where there are fewer.
        tournament: Members drawn for each parent, whose best it is; 0 for truncation.
        elites: How many of the best stay, from 0 to the population.
        crossover: Share of the children with two parents, in [0, 1].
        reevaluate: The elites are evaluated once more in each generation, and the mean of their evaluations counts: for
            noisy fitness.
        strength: `SelfAdaptive` or `OneFifth`, where the mutation's strength should adapt; None leaves it.

    Raises:
        SettingError: A setting is out of its range, or does not go with the others.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.bias.abs().sum()), mutation=gw.GaussianNoise(std=0.1),
        ...     strategy=gw.GeneticAlgorithm(population=10, parents=3, elites=1), generations=3, seed=246)
        >>> run.best.fitness >= -float(net.bias.abs().sum())
        True

    References:
        Such et al., "Deep Neuroevolution: Genetic Algorithms Are a Competitive Alternative for Training Deep Neural
        Networks for Reinforcement Learning", arXiv:1712.06567, algorithm 1 (truncation, one elite, seeds as genomes);
        Miller and Goldberg, "Genetic Algorithms, Tournament Selection, and the Effects of Noise", 1995.
    """

    population: int = 50
    parents: int | None = None
    tournament: int = 0
    elites: int = 1
    crossover: float = 0.0
    reevaluate: bool = False
    strength: SelfAdaptive | OneFifth | None = None

    def __post_init__(self) -> None:
        check_integer(self, "population", self.population, low=2)
        check_integer(self, "elites", self.elites, low=0, high=self.population)
        if self.parents is not None:
            check_integer(self, "parents", self.parents, low=1, high=self.population + self.elites)
        check_integer(self, "tournament", self.tournament, low=0)
        check_fraction(self, "crossover", self.crossover)
        if self.strength is not None and not isinstance(self.strength, SelfAdaptive | OneFifth):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(
                f"{type(self).__name__}: strength is gw.SelfAdaptive(), gw.OneFifth() or None; received "
                f"{self.strength!r}."
            )

    def begin(self, start: Start) -> Population:
        self.needs_mutations(start, strength=self.strength)
        return Population(start, members=[Member(0, self.compared(start.fitness))])

    def breed(self, state: Population, noise: Noise) -> list[Child]:
        kept = state.members[: self.elites] if state.generation else []
        again = [Child(parents=(m.number,), operator=None) for m in kept] if self.reevaluate else []
        return [*again, *(self._child(state, noise.child(place)) for place in range(self.population))]

    def learn(self, state: Population, told: Sequence[Told]) -> None:
        mutations = self.needs_mutations(state.start)
        counted(mutations, told, self.compared)
        kept = state.members[: self.elites]
        by_number = {member.number: member for member in kept}
        children: list[Member] = []
        for one in told:
            fitness = self.compared(one.fitness)
            if one.child.operator is None:
                reconsider(by_number[int(one.child.parents[0])], one, fitness)  # type: ignore[arg-type]  # a number
                continue
            children.append(Member(one.number, fitness, one.child.strength))
            if isinstance(self.strength, OneFifth) and one.child.rival is not None:
                success = fitness > one.child.rival
                state.strength = self.strength.after(state.strength, one.child.operator, success=success)
        alive = [member for member in children if member.fitness > float("-inf")]
        state.members = best_first([*kept, *alive]) or state.members

    def admit(self, state: Population, number: int, fitness: Value) -> None:
        state.members = best_first([*state.members[:-1], Member(number, self.compared(fitness))])

    def emigrants(self, state: Population, count: int) -> list[tuple[int, Value]]:
        return [(member.number, member.fitness) for member in state.members[:count]]

    def _child(self, state: Population, noise: Noise) -> Child:
        parent = self._parent(state, noise.child("parent"))
        name, operator = self.needs_mutations(state.start).draw(noise)
        numbers: tuple[int, ...] = (parent.number,)
        if self.crossover and uniform01(noise.stream("crossover")) < self.crossover:
            mate = self._parent(state, noise.child("mate"))
            if mate.number != parent.number:
                numbers = (parent.number, mate.number)
                operator = crossed(operator)
        return Child(
            parents=numbers,
            operator=operator,
            seed=seed_of(noise),
            strength=self._strength(state, parent, operator, noise),
            mutation=name,
            rival=parent.fitness,
        )

    def _parent(self, state: Population, noise: Noise) -> Member:
        members = state.members
        if not self.tournament:
            return members[choice(noise.stream("parent"), (1.0,) * min(self.parents or _PARENTS, len(members)))]
        drawn = [choice(noise.stream("parent"), (1.0,) * len(members), turn) for turn in range(self.tournament)]
        return members[min(drawn)]  # the best come first

    def _strength(self, state: Population, parent: Member, operator: AnyOperator, noise: Noise) -> float:
        if isinstance(self.strength, SelfAdaptive):
            return self.strength.inherited(parent.strength, operator, noise)
        return state.strength


def crossed(operator: AnyOperator) -> AnyOperator:
    """Return what takes units of a second parent, and then mutates; of other widths, the units that both have."""
    return InOrder(operators=(Crossover(other_sizes="overlap"), operator))


def reconsider(member: Member, again: Told, fitness: float) -> None:
    """Let a member's fitness be the mean of its evaluations."""
    if again.fitness is not None:
        member.fitness = (member.fitness * member.evaluations + fitness) / (member.evaluations + 1)
        member.evaluations += 1


def best_first(members: Sequence[Member]) -> list[Member]:
    """Return members in the order of their fitness; of equal ones the older first."""
    return sorted(members, key=lambda member: (-member.fitness, member.number))
