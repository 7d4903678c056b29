"""Hill climbing: one network, and what is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.strategy import WORST, Start, State, Strategy, Told, counted, seed_of
from genewright.evolution.strategies.strength import OneFifth
from genewright.evolution.values import Value
from genewright.seeding import Noise
from genewright.settings import check_integer


@dataclass
class Climber(State):
    """The network that is climbed from, its fitness, and the strength of the next mutations."""

    number: int = 0
    fitness: float = WORST
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class HillClimb(Strategy):
    """Mutate one network, and go on from the best mutant where it is at least as good: the (1 + lambda) strategy.

    Args:
        children: Mutants of each generation (lambda), at least 1.
        strength: `OneFifth`, where the mutation's strength should adapt; None leaves it.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.weight.abs().sum()), mutation=gw.GaussianNoise(std=0.1), seed=1,
        ...     strategy=gw.HillClimb(children=4, strength=gw.OneFifth()), generations=10)
        >>> run.best.fitness > -float(net.weight.abs().sum())
        True

    References:
        Rechenberg, "Evolutionsstrategie", 1973 ((1 + 1) and the 1/5 rule); Beyer and Schwefel, "Evolution strategies",
        Natural Computing 1, 2002, section 2.
    """

    children: int = 1
    strength: OneFifth | None = None

    def __post_init__(self) -> None:
        check_integer(self, "children", self.children, low=1)
        if self.strength is not None and not isinstance(self.strength, OneFifth):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"HillClimb: strength is gw.OneFifth() or None; received {self.strength!r}.")

    def begin(self, start: Start) -> Climber:
        self.needs_mutations(start, strength=self.strength)
        return Climber(start, fitness=self.compared(start.fitness))

    def breed(self, state: Climber, noise: Noise) -> list[Child]:
        return [self._child(state, noise.child(place)) for place in range(self.children)]

    def learn(self, state: Climber, told: Sequence[Told]) -> None:
        counted(self.needs_mutations(state.start), told, self.compared)
        before = state.fitness
        for one in told:
            fitness = self.compared(one.fitness)
            if fitness >= state.fitness and fitness > WORST:
                state.number, state.fitness = one.number, fitness
            if self.strength is not None:
                state.strength = self.strength.after(state.strength, one.child.operator, success=fitness > before)

    def admit(self, state: Climber, number: int, fitness: Value) -> None:
        if self.compared(fitness) > state.fitness:
            state.number, state.fitness = number, self.compared(fitness)

    def emigrants(self, state: Climber, count: int) -> list[tuple[int, Value]]:
        return [(state.number, state.fitness)] if state.fitness > WORST else []

    def _child(self, state: Climber, noise: Noise) -> Child:
        name, operator = self.needs_mutations(state.start).draw(noise)
        return Child(
            parents=(state.number,),
            operator=operator,
            seed=seed_of(noise),
            strength=state.strength,
            mutation=name,
            rival=state.fitness,
        )
