"""Strategy: which individuals come next. Settings apart from state, ask and tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

from genewright.errors import SettingError, UnsupportedError
from genewright.evolution.child import Child
from genewright.evolution.mutations import Mutations
from genewright.evolution.strategies.configured import Configured
from genewright.evolution.values import Value, objective
from genewright.operator import AnyOperator, Combinator
from genewright.seeding import Noise
from genewright.strengths.scaling import scalable

WORST = float("-inf")  # the fitness of an individual that has none


@dataclass(frozen=True)
class Start:
    """What a strategy knows when a run begins.

    Attributes:
        mutations: The mutations of the run; None where the call names none.
        fitness: The base's fitness, None where it has none.
        base: The base network, which is only read.
    """

    mutations: Mutations | None
    fitness: Value | None
    base: Any = None


@dataclass
class State:
    """Where a strategy stands; each has one of its own, which derives from this.

    Attributes:
        start: What was known at the beginning.
        generation: How many generations have been told.
        count: How many individuals there are: the number that the next child will have. The base is 0.
        asked: The children whose fitness has not been told yet.
    """

    start: Start
    generation: int = 0
    count: int = 1
    asked: list[Child] = field(default_factory=list[Child])


@dataclass(frozen=True)
class Told:
    """A child, the number that it has become, and its fitness (None where it has none)."""

    number: int
    child: Child
    fitness: Value | None


class Strategy(Configured, ABC):
    """Chooses the next individuals; settings alone, so that one strategy may serve several runs.

    Derive, decorate with a frozen, keyword-only dataclass, and write `begin`, `breed` and `learn`. All choices are
    drawn from the noise that `ask` is handed, and depend on nothing but that and what was told: so a run is the same
    whoever evaluates, and one that was cut off is asked and told again up to where it was.

    Attributes:
        several: It compares several objectives at once; any other one needs one number.
        inherits: Children start from weights of individuals that have been evaluated, so what these have learnt in
            training is handed on.

    Example:
        >>> import genewright as gw
        >>> from genewright.seeding import Noise
        >>> strategy = gw.GeneticAlgorithm(population=4, parents=2)
        >>> state = strategy.start(gw.GaussianNoise(std=0.1), fitness=0.0)
        >>> children = strategy.ask(state, Noise(246, "/1"))
        >>> strategy.tell(state, [0.1, None, 0.3, 0.2])
        >>> [child.parents for child in children][0], state.count
        ((0,), 5)
    """

    several: ClassVar[bool] = False
    inherits: ClassVar[bool] = True

    @final
    def start(self, mutation: Any, *, fitness: Value | None, base: Any = None) -> Any:
        """Return the state at the beginning.

        Args:
            mutation: An operator, operators by name, `Mutations`, or None for strategies that bring their own.
            fitness: The base's fitness, or None.
            base: The base network, where the strategy needs to see it.

        Raises:
            SettingError: The strategy cannot work with this mutation or this fitness.
        """
        mutations = mutation if mutation is None or isinstance(mutation, Mutations) else Mutations(mutation)
        return self.begin(Start(mutations, fitness, base))

    @final
    def ask(self, state: Any, noise: Noise) -> list[Child]:
        """Return the next children; their fitness has to be told before more are asked for.

        Args:
            state: From `start`.
            noise: The noise of this generation.
        """
        if state.asked:
            raise SettingError(f"{type(self).__name__}: tell the fitness of {len(state.asked)} children first.")
        state.asked = self.breed(state, noise.salted(self.name))
        return list(state.asked)

    @final
    def tell(self, state: Any, fitnesses: Sequence[Value | None]) -> None:
        """Take in the fitness of the children that `ask` returned, in their order; None where one has none.

        Raises:
            SettingError: There are too many or too few, or one is of several numbers where one is compared.
        """
        if len(fitnesses) != len(state.asked):
            raise SettingError(
                f"{type(self).__name__}: {len(state.asked)} children were asked for; received {len(fitnesses)} "
                "fitnesses. Give one for each, in order."
            )
        told = [Told(state.count + at, child, fitnesses[at]) for at, child in enumerate(state.asked)]
        self.learn(state, told)
        state.count += len(told)
        state.generation += 1
        state.asked = []

    @abstractmethod
    def begin(self, start: Start) -> Any:
        """Return the state at the beginning, a `State`."""

    @abstractmethod
    def breed(self, state: Any, noise: Noise) -> list[Child]:
        """Return the next children."""

    @abstractmethod
    def learn(self, state: Any, told: Sequence[Told]) -> None:
        """Take in what became of them. `count`, `generation` and `asked` follow by themselves."""

    def hands_on(self) -> bool:
        """Whether children start from what evaluated individuals have learnt; of a strategy around others: theirs."""
        return self.inherits

    def admit(self, state: Any, number: int, fitness: Value) -> None:
        """Take in an individual of another island.

        Raises:
            UnsupportedError: The strategy has no place for one.
        """
        raise UnsupportedError(f"{type(self).__name__} takes in no individuals of other islands: migrants=0.")

    def emigrants(self, state: Any, count: int) -> list[tuple[int, Value]]:
        """Return the best individuals, (number, fitness), for other islands."""
        raise UnsupportedError(f"{type(self).__name__} has no individuals for other islands: migrants=0.")

    def compared(self, fitness: Value | None) -> float:
        """Return the one number that is compared, -infinity for an individual that has none."""
        return WORST if fitness is None else objective(fitness, type(self).__name__)

    def needs_mutations(self, start: Start, *, strength: Any = None) -> Mutations:
        """Return the mutations of the run.

        Args:
            start: What is known at the beginning.
            strength: How their strength adapts; None where it stays.

        Raises:
            SettingError: The call names none, or none that has a strength to adapt.
        """
        if start.mutations is None:
            raise SettingError(f"{type(self).__name__} needs a mutation. Write mutation=gw.GaussianNoise(std=0.01).")
        operators = start.mutations.operators.values()
        if strength is not None and not any(scalable(operator) for operator in operators):
            raise SettingError(
                f"{type(self).__name__}: strength={strength} adapts a strength or a rate, and "
                f"{', '.join(type(operator).__name__ for operator in operators)} has none. Take a mutation that has, "
                "such as gw.GaussianNoise(std=0.01), or leave out strength=."
            )
        return start.mutations


def seed_of(noise: Noise) -> int:
    """Return a seed for a mutation: 63 bits, as a store's column holds them."""
    return noise.stream("seed").key >> 1


def counted(mutations: Mutations, told: Sequence[Told], compared: Any) -> None:
    """Let mutations learn which of their children exceed their parents."""
    for one in told:
        if one.child.operator is not None and one.child.rival is not None:
            fitness = compared(one.fitness)
            mutations.learn(one.child.mutation, success=fitness > one.child.rival)


def leaves(operator: AnyOperator) -> list[AnyOperator]:
    """Return the operators that a combinator is made of, down to the last; an operator alone is its own leaf."""
    if isinstance(operator, Combinator):
        return [leaf for part in operator.parts() for leaf in leaves(part)]
    return [operator]
