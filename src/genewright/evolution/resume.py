"""gw.resume."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genewright.calls import answered
from genewright.errors import FingerprintError, StoreError
from genewright.evolution.arrangement import arranged
from genewright.evolution.callbacks import Callback, as_callbacks
from genewright.evolution.carrying_out import carried_out
from genewright.evolution.executors.executor import Executor
from genewright.evolution.limits import Limits
from genewright.evolution.mutations import Mutations
from genewright.evolution.run import Run
from genewright.evolution.stores.opening import existing_store
from genewright.evolution.strategies.configured import configured_from_json
from genewright.seeding import seed_from_json


@answered("gw.resume(store, model=model, fitness=fitness)")
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
        made = arranged(
            model,
            fitness,
            strategy=configured_from_json(about["strategy"]),
            mutations=None if about["mutations"] is None else Mutations.from_json(about["mutations"]),
            limits=Limits(**(given if fresh else about["limits"])),
            seed=seed_from_json(about["seed"]),
            example=example,
            train=train,
            repeats=int(about["repeats"]),
            timeout=timeout,
            executor=executor,
            store=store,
        )
        _check_same(about, made.about(), Path(os.fspath(store)).name)
    except BaseException:
        kept.close()
        raise
    return carried_out(made, kept, about, told, progress, begins=False)


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
