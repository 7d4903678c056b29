"""Driver: one run. Ask, evaluate, keep, tell; nothing counts before it is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genewright.errors import EvolutionError, SettingError, StoreError
from genewright.evolution.callbacks import Callback, Report
from genewright.evolution.champion import Champion
from genewright.evolution.child import Child
from genewright.evolution.evaluation import Outcome, Task
from genewright.evolution.executors.executor import Crew
from genewright.evolution.individual import Genome, Individual
from genewright.evolution.limits import Limits
from genewright.evolution.losses import Losses
from genewright.evolution.mutations import Mutations
from genewright.evolution.stores.store import Store
from genewright.evolution.strategies.strategy import Strategy
from genewright.evolution.values import form_of
from genewright.seeding import Noise, Seed

_KEPT_EVERY = 0.5  # seconds: what is kept together; what was not kept yet is evaluated again after a kill


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a run does, whoever evaluates and wherever it is kept."""

    strategy: Strategy
    mutations: Mutations | None
    limits: Limits
    seed: Seed
    trains: bool = False


class Driver:
    """Carries a run from where its store stands to its end.

    Args:
        setup: What to do.
        store: Where it is kept; individuals that it has already are not evaluated again.
        crew: Who evaluates.
        genomes: Where the genomes go, by number.
        base: The base network, for strategies that see it.
        callbacks: Who is told.
    """

    def __init__(
        self,
        setup: Setup,
        store: Store,
        crew: Crew,
        genomes: dict[int, Genome],
        base: Any,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._setup = setup
        self._store = store
        self._crew = crew
        self._genomes = genomes
        self._base = base
        self._callbacks = callbacks
        self._recorded: Iterator[Individual] = store.individuals()
        self._next: Individual | None = next(self._recorded, None)
        self._pending: list[Individual] = []
        self._kept_at = 0.0
        self._evaluated = 0
        self._losses = Losses()
        self.champion = Champion(genomes)
        self.state: Any = None

    def run(self) -> str:
        """Go on until a limit is reached; return which."""
        began = time.perf_counter()
        base = self._settled(0, [Child(parents=(), operator=None)])[0]
        if base.status == "failed" and base.error.startswith("SettingError: A fitness function returns"):
            raise SettingError(base.error.partition(": ")[2])
        strategy, limits = self._setup.strategy, self._setup.limits
        self.state = state = strategy.start(self._setup.mutations, fitness=base.fitness, base=self._base)
        generation, count, form = 0, 1, "" if base.fitness is None else form_of(base.fitness)
        while True:
            best = self.champion.best()
            seconds = time.perf_counter() - began
            reached = limits.reached(
                generations=generation,
                evaluations=count,
                seconds=seconds,
                best=None if best is None else self.champion.fitness(best),
            )
            if reached:
                self._losses.refuse_end(generation, count)
                return reached
            generation += 1
            children = strategy.ask(state, Noise(self._setup.seed, f"/{generation}"))
            if not children:
                raise EvolutionError(f"{type(strategy).__name__} asked for no children in generation {generation}.")
            individuals = self._settled(generation, children, first=count)
            form = self._of_one_form(individuals, form)
            self._losses.add(individuals, generation)
            if self._setup.mutations is not None:
                self._setup.mutations.refused(individuals, warn=generation == 1)
            strategy.tell(state, [one.fitness for one in individuals])
            count += len(individuals)
            if self._told(individuals, count, time.perf_counter() - began):
                return "callback"

    def _settled(self, generation: int, children: Sequence[Child], first: int = 0) -> list[Individual]:
        """Return the individuals that children become, all of them kept."""
        numbers = {id(child): first + at for at, child in enumerate(children)}
        names: dict[int, str] = {}
        tasks: list[Task] = []
        known: dict[int, Individual] = {}
        for child in children:
            number = numbers[id(child)]
            genome = self._genome(child, numbers, number)
            self._genomes[number], names[number] = genome, child.mutation
            if (recorded := self._take(number)) is not None:
                self._check(recorded, genome)
                self._genomes[number] = recorded.genome
                known[number] = recorded
            else:
                tasks.append(Task(number=number, generation=generation, genome=genome))
        try:
            for outcome in self._crew.evaluate(tasks) if tasks else ():
                if outcome.trained:
                    self._genomes[outcome.number] = replace(self._genomes[outcome.number], trained=outcome.trained)
                known[outcome.number] = self._individual(outcome, generation, names[outcome.number])
                self._keep(known[outcome.number])
        finally:
            self._flush()
        individuals = [known[number] for number in sorted(known)]
        for one in individuals:
            self.champion.learn(one)
        return individuals

    def _genome(self, child: Child, numbers: dict[int, int], number: int) -> Genome:
        parents = tuple(p if isinstance(p, int) else numbers[id(p)] for p in child.parents)
        if any(not 0 <= parent < number for parent in parents) or (number and not parents):
            raise EvolutionError(
                f"{type(self._setup.strategy).__name__}: individual {number} cannot have the parents {parents}; they "
                f"come before it: 0 to {number - 1}."
            )
        early = [p for p in child.parents if not isinstance(p, int) and p.operator is not None]
        if self._setup.trains and early:
            raise SettingError(
                f"train= trains one individual after the other, and {type(self._setup.strategy).__name__} asks for "
                "children of individuals that are not trained yet."
            )
        return Genome(parents=parents, operator=child.operator, seed=child.seed, strength=child.strength)

    def _individual(self, outcome: Outcome, generation: int, mutation: str) -> Individual:
        self._evaluated += 1
        return Individual(
            number=outcome.number,
            generation=generation,
            genome=self._genomes[outcome.number],
            mutation=mutation,
            status=outcome.status,
            fitness=outcome.fitness,
            error=outcome.error,
            seconds=outcome.seconds,
            worker=outcome.worker,
        )

    def _take(self, number: int) -> Individual | None:
        """Return an individual that the store has already."""
        while self._next is not None and self._next.number < number:
            self._next = next(self._recorded, None)
        return self._next if self._next is not None and self._next.number == number else None

    def _check(self, recorded: Individual, genome: Genome) -> None:
        if replace(recorded.genome, trained="") != genome:
            raise StoreError(
                f"The store's individual {recorded.number} was made otherwise than this run makes it: another version "
                "of genewright, or of a library that its strategy uses, has written it. Resume it with that one."
            )

    def _keep(self, individual: Individual) -> None:
        self._pending.append(individual)
        if time.monotonic() - self._kept_at >= _KEPT_EVERY:
            self._flush()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self._store.write(pending)
        self._kept_at = time.monotonic()

    def _of_one_form(self, individuals: Sequence[Individual], form: str) -> str:
        """Hold all fitnesses to the form of the first one; return it."""
        for one in individuals:
            if one.fitness is not None:
                found = form_of(one.fitness)
                if form and found != form:
                    raise SettingError(
                        f"The fitness function returned {form} at first, and {found} for individual {one.number}. "
                        "Return the same for every model."
                    )
                form = found
        return form

    def _told(self, individuals: Sequence[Individual], count: int, seconds: float) -> bool:
        generation = individuals[0].generation
        best, mutations, limits = self.champion.best(), self._setup.mutations, self._setup.limits
        report = Report(
            generation=generation,
            individuals=individuals,
            best=None if best is None else self._store.individual(best),
            evaluations=count,
            seconds=seconds,
            evaluated=self._evaluated,
            share=limits.share(generations=generation, evaluations=count, seconds=seconds),
            odds={} if mutations is None else mutations.odds(),
        )
        answers = [callback.told(report) for callback in self._callbacks]  # all are told, whatever the first says
        return True in answers
