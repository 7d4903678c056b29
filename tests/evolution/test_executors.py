"""Executors: the same story for any number of workers, also where they die; what hangs costs one individual."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import genewright as gw
from genewright.evolution.executors.travel import Known
from genewright.evolution.individual import Genome
from tests.evolution.problems import NOISE, HangsSometimes, KillsOnce, evolved, loss, network, story

pytest.importorskip("cloudpickle")
CROSSED = gw.GeneticAlgorithm(population=10, parents=4, crossover=0.4)


def closed_over(value: float) -> Any:
    return lambda model: value * loss(model)


@pytest.mark.slow
def test_processes_tell_the_story_of_serial() -> None:
    """With a function that goes by value; the next test holds the rest in less time."""
    alone = evolved(fitness=closed_over(2.0), strategy=CROSSED)
    several = evolved(fitness=closed_over(2.0), strategy=CROSSED, executor=gw.Processes(2))
    assert story(several) == story(alone)
    assert gw.fingerprint(several.best_model) == gw.fingerprint(alone.best_model)
    assert {one.worker for one in several.individuals()} == {"process 0", "process 1"}


def test_workers_that_are_killed_are_replaced_and_their_work_is_done_again(tmp_path: Path) -> None:
    """Each of them also has to make parents that the other one has made the children of."""
    run = evolved(fitness=KillsOnce(tmp_path, chance=40), strategy=CROSSED, executor=gw.Processes(2))
    alone = evolved(strategy=CROSSED)
    assert story(run) == story(alone)
    assert gw.fingerprint(run.best_model) == gw.fingerprint(alone.best_model)
    assert list(tmp_path.iterdir())
    assert {one.worker for one in run.individuals()} == {"process 0", "process 1"}


def test_what_hangs_is_ended_and_what_kills_is_given_up(tmp_path: Path) -> None:
    strategy = gw.GeneticAlgorithm(population=3, parents=2)
    run = evolved(fitness=HangsSometimes(), strategy=strategy, generations=1, executor=gw.Processes(1), timeout=0.5)
    late = [one for one in run.individuals() if one.status == "timeout"]
    assert 0 < len(late) < 4
    assert all(one.fitness is None and "more than 0.5 seconds" in one.error for one in late)
    assert all(one.fitness == loss(run.model(one)) for one in run.individuals() if one not in late)


def kills(model: nn.Module) -> float:
    if model[0].weight[0, 0].item() != network()[0].weight[0, 0].item():
        os._exit(3)
    return 1.0


@pytest.mark.slow
def test_what_kills_its_process_again_and_again_is_given_up() -> None:
    with pytest.raises(gw.EvolutionError, match=r"\(2 died\)[\s\S]*died 3 times, the last time with exit code 3"):
        evolved(fitness=kills, strategy=gw.GeneticAlgorithm(population=2, parents=1), executor=gw.Processes(2))


def test_what_cannot_be_sent_is_said() -> None:
    lock = threading.Lock()
    with pytest.raises(gw.SettingError, match=r"Processes sends the model and the fitness function.*cannot"):
        evolved(fitness=lambda model: float(lock.locked()), executor=gw.Processes(1))


class _Unreadable:
    """Can be written, and not be read."""

    def __reduce__(self) -> Any:
        return int, ("no number",)

    def __call__(self, model: nn.Module) -> float:
        return 0.0


@pytest.mark.slow
def test_processes_that_do_not_start_are_said() -> None:
    with pytest.raises(gw.EvolutionError, match=r"The processes do not start[\s\S]*invalid literal for int"):
        evolved(fitness=_Unreadable(), executor=gw.Processes(1))


@pytest.mark.parametrize("settings", [{"number": 0}, {"number": 1.5}, {"threads": 0}])
def test_bad_numbers_are_refused(settings: Any) -> None:
    with pytest.raises(gw.SettingError, match="must be an int of at least 1"):
        gw.Processes(**settings)


def test_each_genome_is_sent_once() -> None:
    genomes = {0: Genome(parents=())} | {n: Genome(parents=(n - 1,), operator=NOISE, seed=n) for n in range(1, 9)}
    known = Known()
    assert sorted(known.missing(genomes[4], genomes)) == [0, 1, 2, 3]
    assert sorted(known.missing(genomes[6], genomes)) == [4, 5]
    assert known.missing(genomes[5], genomes) == {}


@pytest.mark.slow  # a cluster takes half a minute to start on a busy machine
def test_ray_tells_the_story_of_serial(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        run = evolved(fitness=KillsOnce(tmp_path, chance=24), executor=gw.Ray(number=2))
        assert story(run) == story(evolved())
        assert list(tmp_path.iterdir())
        assert {one.worker for one in run.individuals()} == {"actor 0", "actor 1"}
    finally:
        ray.shutdown()
