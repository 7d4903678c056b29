"""Who runs the mutants of a campaign: this process, or several."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from genewright.errors import EvolutionError, SettingError
from genewright.evolution.executors.processes import Processes
from genewright.evolution.executors.serial import Serial
from genewright.evolution.executors.travel import limit_threads, received, written
from genewright.mutation_testing.bench import Bench, Tried
from genewright.mutation_testing.record import Record

_SECONDS = 5.0  # that a share of the work should take: what a kill loses at most
_FIRST, _MOST = 16, 1000


class Team:
    """The benches of all models; runs mutants by their numbers.

    Args:
        benches: One a model.
        labels: What the operators are called in a report.
    """

    def __init__(self, benches: Sequence[Bench], labels: Sequence[str]) -> None:
        self.benches = benches
        self._labels = list(labels)

    def run(self, numbers: Sequence[int]) -> list[Record]:
        """Return the records of some mutants."""
        found: list[list[Tried]] = []
        for bench in self.benches:
            with bench:
                found.append(bench.run(numbers))
        each = ([of_model[at] for of_model in found] for at in range(len(numbers)))
        return [Record.of(self._labels[tried[0].mutant.of], tried) for tried in each]


def shares(team: Team, recipe: Any, numbers: Sequence[int], executor: Any) -> Iterator[list[Record]]:
    """Yield the records of mutants, share by share, as they are done.

    Args:
        team: Who runs them in this process.
        recipe: What a team is made of in another process: arguments of `make_team`.
        numbers: Their numbers.
        executor: gw.Serial() or gw.Processes(n).

    Raises:
        SettingError: The executor is of another kind, or what it needs cannot be sent.
        EvolutionError: A process died.
    """
    if isinstance(executor, Serial):
        yield from _alone(team, numbers)
    elif isinstance(executor, Processes):
        yield from _together(recipe, numbers, executor)
    else:
        raise SettingError(f"executor: expected gw.Serial() or gw.Processes(n); received {executor!r}.")


def _alone(team: Team, numbers: Sequence[int]) -> Iterator[list[Record]]:
    size, at = _FIRST, 0
    while at < len(numbers):
        started = time.monotonic()
        yield team.run(numbers[at : at + size])
        took = max(1e-6, time.monotonic() - started)
        at += size
        size = int(min(_MOST, max(_FIRST, size * min(8.0, _SECONDS / took))))


_team: list[Team] = []  # of a process that was started for it


def _begin(payload: bytes, threads: int) -> None:
    make, arguments = received(payload)
    limit_threads(threads)
    _team.append(make(*arguments))


def _work(numbers: Sequence[int]) -> list[Record]:
    return _team[0].run(numbers)


def _together(recipe: Any, numbers: Sequence[int], executor: Processes) -> Iterator[list[Record]]:
    number = executor.number or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0] * 2)
    try:
        payload = written(recipe)
    except Exception as error:  # what objects raise that cannot be pickled
        if isinstance(error, ImportError):
            raise
        raise SettingError(
            f"Processes sends the model and the data to other processes, and that cannot be done: {error}. Leave out "
            "what belongs to this process (open files, locks), or take gw.Serial()."
        ) from error
    size = max(1, min(_MOST, -(-len(numbers) // (4 * number))))
    parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(number, context, _begin, (payload, executor.threads)) as pool:
        try:
            for done in concurrent.futures.as_completed([pool.submit(_work, part) for part in parts]):
                yield done.result()
        except concurrent.futures.BrokenExecutor as error:
            raise EvolutionError(
                "A process that ran mutants died. In a script, the call has to stand under if __name__ == '__main__':; "
                "else see what it wrote to standard error, or take gw.Serial()."
            ) from error
        except GeneratorExit:
            pool.shutdown(cancel_futures=True)
            raise
