"""gw.evolve and gw.resume."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genewright.backends import backend_of
from genewright.errors import FingerprintError, SettingError, StoreError
from genewright.evolution.callbacks import Callback, as_callbacks
from genewright.evolution.driver import Driver, Setup
from genewright.evolution.evaluation import Job
from genewright.evolution.executors.executor import Executor
from genewright.evolution.executors.serial import Serial
from genewright.evolution.individual import Genome
from genewright.evolution.limits import Limits
from genewright.evolution.mutations import Mutations
from genewright.evolution.progress import ProgressLine
from genewright.evolution.run import Run
from genewright.evolution.stores.opening import existing_store, new_store
from genewright.evolution.stores.store import Store
from genewright.evolution.strategies.configured import configured_from_json
from genewright.evolution.strategies.strategy import Strategy
from genewright.evolution.trained_weights import TrainedWeights
from genewright.evolution.training import Training
from genewright.example import example_fingerprint
from genewright.fitness.fitness import Fitness, signature_of
from genewright.mutate import fingerprint
from genewright.operator import AnyOperator
from genewright.plain import plain
from genewright.seeding import Seed, seed_from_json, seed_required, seed_to_json
from genewright.settings import check_integer, check_positive

FORMAT = 1
_CALL = "gw.evolve(model, fitness, mutation=gw.GaussianNoise(std=0.01), strategy=gw.GeneticAlgorithm(), "


@seed_required(_CALL + "generations=100, seed=246)")
def evolve(
    model: Any,
    fitness: Any,
    *,
    mutation: AnyOperator | Mapping[str, AnyOperator] | None = None,
    strategy: Strategy,
    generations: int | None = None,
    evaluations: int | None = None,
    seconds: float | None = None,
    target: float | None = None,
    seed: Seed,
    adapt: bool = False,
    example: Any = None,
    train: Any = None,
    repeats: int = 1,
    timeout: float | None = None,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    callbacks: Iterable[Callback | Any] = (),
    progress: bool | None = None,
    notes: Any = None,
) -> Run:
    """Evolve a network: mutate it, judge the mutants, go on with the best.

    The champion is the same, byte for byte, for any number of workers and any order in which they finish, given the
    same fitness values: choices are drawn from the seed, and fitnesses are told in the order of the individuals.

    Args:
        model: The network to start from, a torch module or a Keras model; it stays as it is.
        fitness: What judges a model: a function of it, or one of `gw.fitness`. It returns a number, a tuple of numbers
            (several objectives), or a dict of numbers by name. More is better. A model that it is handed is its own.
        mutation: An operator, a combinator, or operators by name, whose success is counted. Strategies that move all
            weights along drawn directions need none.
        strategy: How the next individuals are chosen, such as `gw.GeneticAlgorithm`.
        generations: How many generations, at least 1. Of these four limits one has to be given; the run ends after the
            first generation at whose end one is reached.
        evaluations: How many individuals, the base included.
        seconds: How many seconds.
        target: Which fitness, the first of several.
        seed: An int, str or bytes.
        adapt: The odds of several mutations follow their success.
        example: A sample input, for mutations of the architecture.
        train: Trains an individual before it is judged; its children start from the trained weights. A function of the
            model and a `gw.Trial`, or a `gw.Training`. The network to start from is judged as it is.
        repeats: Evaluations of each individual, whose mean is its fitness.
        timeout: Seconds for one evaluation; after them it is given up. It needs an executor with processes.
        executor: Who evaluates; `gw.Serial()` by default.
        store: Where the run is kept: the path of an SQLite file, or an SQLAlchemy URL; None keeps it in memory. A run
            that was cut off goes on with `gw.resume`.
        callbacks: Functions of a `gw.Report`, told after each generation; one that returns True ends the run.
        progress: Show a line of progress; by default where standard error is a terminal.
        notes: Plain data that the store keeps with the run.

    Returns:
        The run: its champion, and how it came about.

    Raises:
        SettingError: An argument is out of its range or does not go with the others, or the fitness function returns
            what is no number.
        EvolutionError: No mutation applies, or no individual gets a fitness.
        StoreError: The store holds a run already, or cannot be written.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 1)
        >>> run = gw.evolve(net, lambda model: -float(model.weight.abs().sum()), mutation=gw.GaussianNoise(std=0.1),
        ...     strategy=gw.GeneticAlgorithm(population=10, parents=3), generations=5, seed=246)
        >>> run.best.fitness >= -float(net.weight.abs().sum()), run.reason
        (True, 'generations')

    References:
        Such et al., "Deep Neuroevolution", arXiv:1712.06567, section 3 (an individual is a list of seeds).
    """
    limits = Limits(generations=generations, evaluations=evaluations, seconds=seconds, target=target)
    training = Training.of(train)
    _check(fitness, strategy, executor, repeats, timeout, training)
    mutations = None if mutation is None else Mutations(mutation, adapt=adapt)
    if mutations is None and adapt:
        raise SettingError("adapt=True is for several mutations; give mutation={...}.")
    setup = Setup(strategy=strategy, mutations=mutations, limits=limits, seed=seed, trains=training is not None)
    job = Job(
        base=model,
        fitness=fitness,
        example=example,
        seed=seed,
        repeats=repeats,
        timeout=timeout,
        training=training,
        trained=None if training is None else _weights_of(training, store),
    )
    told = as_callbacks(callbacks)
    about = {**_about(setup, job), "notes": plain(notes)}
    kept = new_store(store)
    return _carried_on(setup, job, kept, about, executor or Serial(), told, progress, begins=True)


def resume(
    store: str | os.PathLike[str],
    *,
    model: Any,
    fitness: Any,
    generations: int | None = None,
    evaluations: int | None = None,
    seconds: float | None = None,
    target: float | None = None,
    example: Any = None,
    train: Any = None,
    timeout: float | None = None,
    executor: Executor | None = None,
    callbacks: Iterable[Callback | Any] = (),
    progress: bool | None = None,
) -> Run:
    """Go on with a run that was cut off, or further with one that has ended: to the champion of an uninterrupted run.

    Settings, strategy, mutations and seed are in the store. What it has already is not evaluated again.

    Args:
        store: As in `evolve`.
        model: The network that the run started from.
        fitness: What it was judged by.
        generations: A new limit; where none of the four is given, the old ones hold.
        evaluations: A new limit.
        seconds: A new limit, counted from now.
        target: A new limit.
        example: As in `evolve`, where the run had one.
        train: As in `evolve`, where the run had one.
        timeout: As in `evolve`.
        executor: As in `evolve`; it may be another one.
        callbacks: As in `evolve`; they are told of the generations that the store has, too.
        progress: As in `evolve`.

    Raises:
        FingerprintError: `model` is not the network that the run started from, or `example` another one.
        StoreError: There is no run, it is damaged, somebody else goes on with it, or `fitness` is another one.

    Example:
        >>> import tempfile, torch, genewright as gw
        >>> net, folder = torch.nn.Linear(3, 1), tempfile.mkdtemp()
        >>> def score(model):
        ...     return -float(model.weight.abs().sum())
        >>> first = gw.evolve(net, score, mutation=gw.GaussianNoise(std=0.1), generations=2, seed=1,
        ...     strategy=gw.GeneticAlgorithm(population=4, parents=2), store=f"{folder}/run.db")
        >>> first.close()
        >>> gw.resume(f"{folder}/run.db", model=net, fitness=score, generations=4).generations()[-1].number
        4
    """
    told = as_callbacks(callbacks)
    kept = existing_store(store)
    try:
        about = kept.about()
        given: dict[str, Any] = {
            "generations": generations,
            "evaluations": evaluations,
            "seconds": seconds,
            "target": target,
        }
        fresh = any(value is not None for value in given.values())
        strategy = configured_from_json(about["strategy"])
        limits = Limits(**given) if fresh else Limits(**about["limits"])
        repeats = int(about["repeats"])
        training = Training.of(train)
        _check(fitness, strategy, executor, repeats, timeout, training)
        seed = seed_from_json(about["seed"])
        mutations = None if about["mutations"] is None else Mutations.from_json(about["mutations"])
        setup = Setup(strategy=strategy, mutations=mutations, limits=limits, seed=seed, trains=training is not None)
        job = Job(
            base=model,
            fitness=fitness,
            example=example,
            seed=seed,
            repeats=repeats,
            timeout=timeout,
            training=training,
            trained=None if training is None else _weights_of(training, store),
        )
        _check_same(about, _about(setup, job), Path(os.fspath(store)).name)
    except BaseException:
        kept.close()
        raise
    return _carried_on(setup, job, kept, about, executor or Serial(), told, progress, begins=False)


def _carried_on(
    setup: Setup,
    job: Job,
    store: Store,
    about: dict[str, Any],
    executor: Executor,
    callbacks: list[Callback],
    progress: bool | None,
    *,
    begins: bool,
) -> Run:
    told = [*callbacks, *ProgressLine.wanted(progress)]
    genomes: dict[int, Genome] = {}
    try:
        if begins:
            store.begin(about)
        for callback in told:
            callback.started(about)
        reason = "an error"
        try:
            with executor.start(job, genomes) as crew:
                driver = Driver(setup, store, crew, genomes, job.base, told)
                reason = driver.run()
        except BaseException as error:
            reason = type(error).__name__
            raise
        finally:
            for callback in told:
                callback.ended(reason)
    except BaseException:
        store.close()
        raise
    return Run(
        store,
        job.base,
        genomes,
        driver.champion,
        example=job.example,
        trained=job.trained,
        mutations=setup.mutations,
        reason=reason,
        state=driver.state,
    )


def _weights_of(training: Training, store: str | os.PathLike[str] | None) -> TrainedWeights:
    """Return where trained weights are kept.

    Raises:
        SettingError: The store is a database, beside which there is no folder.
    """
    if training.folder is not None:
        return TrainedWeights(Path(training.folder))
    if store is None:
        return TrainedWeights.passing()
    if "://" in str(store):
        raise SettingError(
            "Trained weights lie in a folder, and there is none beside a database. Write "
            "train=gw.Training(function, folder='weights'), where every worker can see it."
        )
    return TrainedWeights(Path(f"{os.fspath(store)}.weights"))


def _about(setup: Setup, job: Job) -> dict[str, Any]:
    """Return what a run is, as its store keeps it."""
    numeric = backend_of(job.base).numeric
    limits = setup.limits
    return {
        "format": FORMAT,
        "base": fingerprint(job.base),
        "fitness": signature_of(job.fitness),
        "example": None if job.example is None else example_fingerprint(job.example, numeric),
        "strategy": setup.strategy.to_json(),
        "mutations": None if setup.mutations is None else setup.mutations.to_json(),
        "limits": {name: getattr(limits, name) for name in ("generations", "evaluations", "seconds", "target")},
        "seed": seed_to_json(setup.seed),
        "train": None if job.training is None else job.training.signature(),
        "repeats": job.repeats,
    }


def _check_same(was: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    if was["base"] != now["base"]:
        raise FingerprintError(
            f"{name}: the run started from the network {was['base']}, and the one given is {now['base']}. Give the "
            "model that gw.evolve was given."
        )
    if was["fitness"] != now["fitness"]:
        raise StoreError(
            f"{name}: the run was judged by {was['fitness']}, and the fitness given is {now['fitness']}. Fitnesses of "
            "two functions cannot be compared: give the old one, or start a new run from gw.replay(run.best_recipe, "
            "model)."
        )
    if was["train"] != now["train"]:
        given = "none was given" if now["train"] is None else f"the one given is {now['train']}"
        raise StoreError(f"{name}: the run's training is {was['train']}, and {given}. Write train= as it was.")
    if was["example"] != now["example"]:
        given = "none was given" if now["example"] is None else f"the one given is {now['example']}"
        raise FingerprintError(f"{name}: the run's example is {was['example']}, and {given}. Write example=.")


def _check(fitness: Any, strategy: Any, executor: Any, repeats: Any, timeout: Any, training: Training | None) -> None:
    if isinstance(fitness, type) or not (isinstance(fitness, Fitness) or callable(fitness)):
        raise SettingError(
            f"fitness is a function of a model, or one of gw.fitness such as gw.fitness.Supervised(x, y); received "
            f"{fitness!r}."
        )
    if not isinstance(strategy, Strategy):
        hint = " Make one of the class, with its settings." if isinstance(strategy, type) else ""
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
