"""gw.evolve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, cast

from genewright.errors import SettingError
from genewright.evolution.arrangement import arranged
from genewright.evolution.callbacks import Callback, as_callbacks
from genewright.evolution.carrying_out import carried_out
from genewright.evolution.executors.executor import Executor
from genewright.evolution.limits import Limits
from genewright.evolution.mutations import Mutations
from genewright.evolution.run import Run
from genewright.evolution.stores.opening import new_store
from genewright.evolution.strategies.strategy import Strategy
from genewright.named import operators_for
from genewright.operator import Combinator, Operator, OperatorLike
from genewright.plain import plain
from genewright.seeding import Seed, seed_required

_HINTS = {
    **dict.fromkeys(
        ("population", "population_size", "parents", "elites", "size"),
        "Sizes belong to the strategy: strategy=gw.GeneticAlgorithm(population=20, parents=5, elites=1).",
    ),
    **dict.fromkeys(("operator", "operators", "mutations", "mutator"), "Did you mean 'mutation'?"),
    **dict.fromkeys(("workers", "num_workers", "n_jobs", "processes"), "Write executor=gw.Processes(4)."),
    "std": "Settings belong to the operator: mutation=gw.GaussianNoise(std=0.01).",
    "": "",
}
_CALL = "gw.evolve(model, fitness, mutation=gw.GaussianNoise(std=0.01), strategy=gw.GeneticAlgorithm(), "


@seed_required(_CALL + "generations=100, seed=246)", _HINTS)
def evolve(
    model: Any,
    fitness: Any,
    *,
    mutation: OperatorLike | Mapping[str, OperatorLike] | None = None,
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
        executor: Who evaluates; by default `gw.Batched()` for torch modules that are judged by their accuracy or by
            what they do in an environment, do not learn and have no `timeout`; else `gw.Serial()`.
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
    mutations = None if mutation is None else Mutations(_named(model, mutation), adapt=adapt)
    if mutations is None and adapt:
        raise SettingError("adapt=True is for several mutations; give mutation={...}.")
    made = arranged(
        model,
        fitness,
        strategy=strategy,
        mutations=mutations,
        limits=limits,
        seed=seed,
        example=example,
        train=train,
        repeats=repeats,
        timeout=timeout,
        executor=executor,
        store=store,
    )
    told = as_callbacks(callbacks)
    about = {**made.about(), "notes": plain(notes)}
    return carried_out(made, new_store(store), about, told, progress, begins=True)


def _named(model: Any, mutation: Any) -> Any:
    """Return the mutations with names of the model's layers where they hold the layers themselves."""
    if isinstance(mutation, str | Operator | Combinator):
        return operators_for(model, mutation, "gw.evolve")[0]
    if isinstance(mutation, Mapping):
        return {name: _named(model, one) for name, one in cast("Mapping[Any, Any]", mutation).items()}
    return mutation
