"""What a run does and who judges it, as gw.evolve and gw.resume are told it: checked, and in the form of a store."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from genewright.backends import backend_of
from genewright.errors import SettingError
from genewright.evolution.driver import Setup
from genewright.evolution.evaluation import Job
from genewright.evolution.executors.executor import Executor
from genewright.evolution.executors.usual import usual
from genewright.evolution.limits import Limits
from genewright.evolution.mutations import Mutations
from genewright.evolution.stores.tables import FORMAT
from genewright.evolution.strategies.configured import names_of
from genewright.evolution.strategies.strategy import Strategy
from genewright.evolution.trained_weights import TrainedWeights
from genewright.evolution.training import Training
from genewright.example import example_fingerprint
from genewright.fitness.fitness import check_fitness, signature_of
from genewright.mutate import fingerprint
from genewright.names import did_you_mean
from genewright.seeding import Seed, seed_to_json
from genewright.settings import check_integer, check_positive


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """A run before it begins, or goes on.

    Attributes:
        setup: What it does.
        job: What individuals are judged by.
        executor: Who judges them.
    """

    setup: Setup
    job: Job
    executor: Executor

    def about(self) -> dict[str, Any]:
        """Return what the run is, as its store keeps it."""
        setup, job = self.setup, self.job
        numeric = backend_of(job.base).numeric
        return {
            "format": FORMAT,
            "base": fingerprint(job.base),
            "fitness": signature_of(job.fitness),
            "example": None if job.example is None else example_fingerprint(job.example, numeric),
            "strategy": setup.strategy.to_json(),
            "mutations": None if setup.mutations is None else setup.mutations.to_json(),
            "limits": asdict(setup.limits),
            "seed": seed_to_json(setup.seed),
            "train": None if job.training is None else job.training.signature(),
            "repeats": job.repeats,
        }


def arranged(
    model: Any,
    fitness: Any,
    *,
    strategy: Any,
    mutations: Mutations | None,
    limits: Limits,
    seed: Seed,
    example: Any,
    train: Any,
    repeats: Any,
    timeout: Any,
    executor: Any,
    store: str | os.PathLike[str] | None,
) -> Arrangement:
    """Return a run of what `gw.evolve` was given; see there for the arguments.

    Raises:
        SettingError: An argument is out of its range, or does not go with the others.
    """
    training = Training.of(train)
    _check(fitness, strategy, executor, repeats, timeout, training)
    job = Job(
        base=model,
        fitness=fitness,
        example=example,
        seed=seed,
        repeats=repeats,
        timeout=timeout,
        training=training,
        trained=None if training is None else TrainedWeights.of(training.folder, store),
    )
    setup = Setup(strategy=strategy, mutations=mutations, limits=limits, seed=seed, trains=training is not None)
    return Arrangement(setup=setup, job=job, executor=executor or usual(job))


def _check(fitness: Any, strategy: Any, executor: Any, repeats: Any, timeout: Any, training: Training | None) -> None:
    check_fitness("fitness", fitness)
    if not isinstance(strategy, Strategy):
        hint = " Make one of the class, with its settings." if isinstance(strategy, type) else ""
        if isinstance(strategy, str):
            hint = f" {did_you_mean(strategy, names_of(Strategy))}"
        raise SettingError(f"strategy= is a strategy such as gw.GeneticAlgorithm(); received {strategy!r}.{hint}")
    if training is not None and not strategy.hands_on():
        raise SettingError(
            f"{type(strategy).__name__} moves all weights along directions of its own, so nothing that an individual "
            "learns would be handed on. With train= take gw.GeneticAlgorithm, gw.HillClimb, gw.SteadyState, "
            "gw.MAPElites or gw.NSGA2."
        )
    if executor is not None and not isinstance(executor, Executor):
        raise SettingError(
            f"executor= is gw.Serial(), gw.Batched(), gw.Processes(4) or gw.Ray(); received {executor!r}."
        )
    check_integer("evolve", "repeats", repeats, low=1)
    if timeout is not None:
        check_positive("evolve", "timeout", timeout)
