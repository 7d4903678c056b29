"""Evaluation by processes on this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from genewright.errors import EvolutionError
from genewright.evolution.evaluation import Job, Outcome, Task
from genewright.evolution.executors.executor import Crew, Executor
from genewright.evolution.executors.travel import Known, received, sent, written
from genewright.evolution.executors.worker import BROKEN, READY, STARTED, work
from genewright.evolution.individual import Genome
from genewright.settings import check_integer

MOST_DEATHS = 3  # of a worker over one individual, before that one is given up


@dataclass(frozen=True)
class Processes(Executor):
    """Evaluate in `number` processes on this machine.

    The base model and the fitness function travel once to each; after that genomes go out, some dozen bytes each, and
    fitnesses come back. A process that dies is replaced, and its work done again; an individual over which three died
    is given up. With `timeout=`, one that takes too long is ended together with its process. The run is the same as
    with `gw.Serial()`, byte for byte, if the fitness values are.

    A script that starts it needs the usual guard: ``if __name__ == "__main__":``.

    Args:
        number: How many; None for one a core.
        threads: Threads that torch may use in each.

    Raises:
        SettingError: A number is out of its range; in a run, the fitness function cannot be sent.
        EvolutionError: In a run, the processes do not start.

    Example:
        >>> import genewright as gw
        >>> gw.Processes(4)
        Processes(number=4, threads=1)
    """

    number: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.number is not None:
            check_integer(self, "number", self.number, low=1)
        check_integer(self, "threads", self.threads, low=1)

    def start(self, job: Job, genomes: Mapping[int, Genome]) -> Crew:
        number = self.number or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0] * 2)
        return _Workers(sent(job, "Processes"), job.timeout, genomes, number, self.threads)


class _Worker:
    """One process, its pipe, and what it is doing."""

    def __init__(self, payload: bytes, name: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.name = name
        self.connection: Connection[Any, Any] = cast("Any", ours)
        self.known = Known()
        self.task: Task | None = None
        self.deadline: float | None = None
        self.ready = False
        self.process = context.Process(target=work, args=(theirs, payload, name, threads), name=name, daemon=True)
        self.process.start()
        theirs.close()

    def end(self) -> int | None:
        """End the process, whatever it does; return its exit code."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        code = self.process.exitcode
        self.process.close()
        return code


class _Workers(Crew):
    def __init__(
        self, payload: bytes, timeout: float | None, genomes: Mapping[int, Genome], number: int, threads: int
    ) -> None:
        self._payload = payload
        self._timeout = timeout
        self._genomes = genomes
        self._threads = threads
        self._stillborn = 0
        self._workers: list[_Worker] = []
        try:
            for place in range(number):
                self._workers.append(_Worker(payload, f"process {place}", threads))
        except BaseException:
            self.close()
            raise

    def evaluate(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting, deaths, left = deque(tasks), Counter[int](), len(tasks)
        while left:
            for worker in self._workers:
                if worker.ready and worker.task is None and waiting:
                    self._hand(worker, waiting.popleft())
            for outcome in [*self._heard(waiting, deaths), *self._overdue()]:
                left -= 1
                yield outcome

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _hand(self, worker: _Worker, task: Task) -> None:
        worker.task = task
        with contextlib.suppress(OSError):  # it is dead: `_heard` will see that, and have the task done again
            worker.connection.send_bytes(written((task, worker.known.missing(task.genome, self._genomes))))

    def _heard(self, waiting: deque[Task], deaths: Counter[int]) -> Iterator[Outcome]:
        """Yield the outcomes that have come; hand dead workers' tasks back, and replace the workers."""
        pending = [worker.deadline for worker in self._workers if worker.deadline is not None]
        seconds = max(0.0, min(pending) - time.monotonic()) if pending else None
        by_connection = {worker.connection: place for place, worker in enumerate(self._workers)}
        for connection in wait(list(by_connection), seconds):
            place = by_connection[cast("Connection[Any, Any]", connection)]
            worker = self._workers[place]
            try:
                kind, content = received(worker.connection.recv_bytes())
            except (EOFError, OSError):
                yield from self._bury(place, waiting, deaths)
                continue
            if kind == READY:
                worker.ready, self._stillborn = True, 0
            elif kind == BROKEN:
                raise EvolutionError(f"The processes do not start; this is what one of them says:\n{content}")
            elif kind == STARTED:
                worker.deadline = None if self._timeout is None else time.monotonic() + self._timeout
            else:
                worker.task = worker.deadline = None
                yield content

    def _bury(self, place: int, waiting: deque[Task], deaths: Counter[int]) -> Iterator[Outcome]:
        worker = self._workers[place]
        task = worker.task
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= MOST_DEATHS:
                raise EvolutionError(
                    f"{self._stillborn} processes died as they were started. In a script, the call has to stand under "
                    "if __name__ == '__main__':; else see what they wrote to standard error."
                )
        code = self._replace(place)
        if task is None:
            return
        deaths[task.number] += 1
        if deaths[task.number] < MOST_DEATHS:
            waiting.appendleft(task)
            return
        error = f"The process that evaluated it died {MOST_DEATHS} times, the last time with exit code {code}."
        yield Outcome(number=task.number, status="died", error=error, worker=worker.name)

    def _overdue(self) -> Iterator[Outcome]:
        now = time.monotonic()
        for place, worker in enumerate(self._workers):
            if worker.deadline is not None and worker.task is not None and now >= worker.deadline:
                number = worker.task.number
                self._replace(place)
                said = f"The evaluation took more than {self._timeout:g} seconds (timeout=), and was ended."
                seconds = float(self._timeout or 0)
                yield Outcome(number=number, status="timeout", error=said, seconds=seconds, worker=worker.name)

    def _replace(self, place: int) -> int | None:
        old = self._workers[place]
        code = old.end()
        self._workers[place] = _Worker(self._payload, old.name, self._threads)
        return code
