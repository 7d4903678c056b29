"""Who runs mutants: this process, or several."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from genewright.errors import EvolutionError, SettingError
from genewright.evolution.executors.processes import Processes
from genewright.evolution.executors.serial import Serial
from genewright.evolution.executors.travel import limit_threads, received, written
from genewright.mutation_testing.bench import Bench, Tried
from genewright.mutation_testing.record import Record

_SECONDS = 5.0  # that a share of the work should take: what a kill loses at most
_TIMES = 4.0  # as long as getting ready for it takes a share is at least: the original runs again at its beginning
_FIRST, _MOST = 16, 1000

Share_co = TypeVar("Share_co", covariant=True)


class Runs(Protocol[Share_co]):
    """What runs mutants by their numbers, and says what came of a share of them."""

    @property
    def ready_in(self) -> float:
        """How many seconds of the last share were over before its mutants ran."""
        ...

    def run(self, numbers: Sequence[int]) -> Share_co:
        """Run some, in this order."""
        ...


class Team:
    """The benches of all models; runs mutants by their numbers.

    Args:
        benches: One a model.
        labels: What the operators are called in a report.
    """

    def __init__(self, benches: Sequence[Bench], labels: Sequence[str]) -> None:
        self.benches = benches
        self._labels = list(labels)

    @property
    def ready_in(self) -> float:
        """How many seconds of the last share the originals took."""
        return sum(bench.ready_in for bench in self.benches)

    def run(self, numbers: Sequence[int]) -> list[Record]:
        """Return the records of some mutants."""
        found: list[list[Tried]] = []
        for bench in self.benches:
            with bench:
                found.append(bench.run(numbers))
        each = ([of_model[at] for of_model in found] for at in range(len(numbers)))
        return [Record.of(self._labels[tried[0].mutant.of], tried) for tried in each]


class Crew(Generic[Share_co]):
    """Runs mutants share by share; used as a context manager.

    Args:
        team: Who runs them in this process.
        recipe: What makes it in another process: a function and its arguments.
        executor: gw.Serial(), or None for it, or gw.Processes(n).

    Raises:
        SettingError: The executor is of another kind.
    """

    def __init__(
        self, team: Runs[Share_co], recipe: tuple[Callable[..., Runs[Share_co]], tuple[Any, ...]], executor: Any = None
    ) -> None:
        if executor is not None and not isinstance(executor, Serial | Processes):
            raise SettingError(f"executor: expected gw.Serial() or gw.Processes(n); received {executor!r}.")
        self._team = team
        self._recipe = recipe
        self._processes = executor if isinstance(executor, Processes) else None
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def shares(self, numbers: Sequence[int]) -> Iterator[Share_co]:
        """Yield what came of mutants, share by share, as they are done.

        Args:
            numbers: Their numbers; a share has some that follow each other.

        Raises:
            SettingError: What another process needs cannot be sent.
            EvolutionError: A process died.
        """
        if not numbers:
            return
        yield from self._alone(numbers) if self._processes is None else self._together(numbers, self._processes)

    def _alone(self, numbers: Sequence[int]) -> Iterator[Share_co]:
        size, at = _FIRST, 0
        while at < len(numbers):
            started = time.monotonic()
            if len(numbers) - at < 1.5 * size:
                size = len(numbers) - at
            yield self._team.run(numbers[at : at + size])
            ready, took = self._team.ready_in, time.monotonic() - started
            at += size
            wanted = max(_SECONDS, _TIMES * ready) / max(1e-6, took - ready)
            size = int(min(_MOST, max(_FIRST, size * min(8.0, wanted))))

    def _together(self, numbers: Sequence[int], executor: Processes) -> Iterator[Share_co]:
        number = executor.number or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0] * 2)
        size = max(1, min(_MOST, -(-len(numbers) // (4 * number))))
        parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            given = (self._payload(), executor.threads)
            self._pool = concurrent.futures.ProcessPoolExecutor(number, context, _begin, given)
        try:
            for done in concurrent.futures.as_completed([self._pool.submit(_work, part) for part in parts]):
                yield done.result()
        except concurrent.futures.BrokenExecutor as error:
            raise EvolutionError(
                "A process that ran mutants died. In a script, the call has to stand under if __name__ == '__main__':; "
                "else see what it wrote to standard error, or take gw.Serial()."
            ) from error

    def _payload(self) -> bytes:
        try:
            return written(self._recipe)
        except Exception as error:  # what objects raise that cannot be pickled
            if isinstance(error, ImportError):
                raise
            raise SettingError(
                f"Processes sends the model and the data to other processes, and that cannot be done: {error}. Leave "
                "out what belongs to this process (open files, locks), or take gw.Serial()."
            ) from error


_team: list[Runs[Any]] = []  # of a process that was started for it


def _begin(payload: bytes, threads: int) -> None:
    make, arguments = received(payload)
    limit_threads(threads)
    _team.append(make(*arguments))


def _work(numbers: Sequence[int]) -> Any:
    return _team[0].run(numbers)
