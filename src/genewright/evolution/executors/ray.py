"""Evaluation by a Ray cluster."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genewright.evolution.evaluation import Evaluator, Job, Outcome, Task
from genewright.evolution.executors.executor import Crew, Executor
from genewright.evolution.executors.processes import MOST_DEATHS
from genewright.evolution.executors.travel import Known, limit_threads, received, sent
from genewright.evolution.individual import Genome
from genewright.extras import required
from genewright.settings import check_integer, check_positive


@dataclass(frozen=True)
class Ray(Executor):
    """Evaluate by actors of a Ray cluster, or of one that is started on this machine.

    As `Processes`, over several machines: the base and the fitness function go once into the cluster's object store,
    after that genomes go out and fitnesses come back. An actor that dies is replaced, and its work done again. Seconds
    of `timeout=` include the making of the weights here.

    Args:
        address: The cluster, such as "auto" or "ray://head:10001"; None takes the one that this process is connected
            to, or starts one here.
        number: How many actors; None for one a core of the cluster.
        cores: Cores of each, above 0.

    Raises:
        SettingError: A number is out of its range; in a run, the fitness function cannot be sent.
        MissingExtraError: In a run, Ray is not installed.

    Example:
        >>> import genewright as gw
        >>> gw.Ray(number=2)
        Ray(address=None, number=2, cores=1)

    References:
        Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", arXiv:1712.05889.
    """

    address: str | None = None
    number: int | None = None
    cores: float = 1

    def __post_init__(self) -> None:
        if self.number is not None:
            check_integer(self, "number", self.number, low=1)
        check_positive(self, "cores", self.cores)

    def start(self, job: Job, genomes: Mapping[int, Genome]) -> Crew:
        ray = required("ray", extra="ray", what="gw.Ray")
        payload = sent(job, "Ray")
        if self.address is not None or not ray.is_initialized():
            ray.init(address=self.address, ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
        number = self.number or max(1, int(ray.cluster_resources().get("CPU", 1) / self.cores))
        return _Actors(ray, ray.put(payload), job.timeout, genomes, number, self.cores)


class _Actor:
    """What runs in the cluster."""

    def __init__(self, payload: bytes, name: str, threads: int) -> None:
        limit_threads(threads)
        self._genomes: dict[int, Genome] = {}
        job: Job = received(payload)
        limit_threads(threads)
        self._evaluator = Evaluator(job, self._genomes, name)

    def evaluate(self, task: Task, others: dict[int, Genome]) -> Outcome:
        self._genomes.update(others)
        return self._evaluator.evaluate(task)


@dataclass
class _Worker:
    actor: Any
    name: str
    known: Known
    task: Task | None = None
    since: float = 0.0


class _Actors(Crew):
    def __init__(
        self,
        ray: Any,
        payload: Any,
        timeout: float | None,
        genomes: Mapping[int, Genome],
        number: int,
        cores: float,
    ) -> None:
        self._ray = ray
        self._payload = payload
        self._timeout = timeout
        self._genomes = genomes
        self._cores = cores
        self._kind = ray.remote(_Actor).options(num_cpus=cores, max_restarts=0)
        self._workers = [self._begun(f"actor {place}") for place in range(number)]

    def evaluate(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting, deaths, left = deque(tasks), Counter[int](), len(tasks)
        running: dict[Any, int] = {}
        while left:
            for place, worker in enumerate(self._workers):
                if worker.task is None and waiting:
                    worker.task, worker.since = waiting.popleft(), time.monotonic()
                    others = worker.known.missing(worker.task.genome, self._genomes)
                    running[worker.actor.evaluate.remote(worker.task, others)] = place
            found, _ = self._ray.wait(list(running), num_returns=1, timeout=self._patience())
            for reference in found:
                outcome = self._outcome(reference, running.pop(reference), waiting, deaths)
                if outcome is not None:
                    left -= 1
                    yield outcome
            for reference, place in list(running.items()):
                late = self._overdue(place)
                if late is not None:
                    del running[reference]
                    left -= 1
                    yield late

    def close(self) -> None:
        for worker in self._workers:
            self._ray.kill(worker.actor)
        self._workers = []

    def _begun(self, name: str) -> _Worker:
        return _Worker(self._kind.remote(self._payload, name, max(1, int(self._cores))), name, Known())

    def _patience(self) -> float | None:
        if self._timeout is None:
            return None
        since = [worker.since for worker in self._workers if worker.task is not None]
        return max(0.01, min(since) + self._timeout - time.monotonic())

    def _outcome(self, reference: Any, place: int, waiting: deque[Task], deaths: Counter[int]) -> Outcome | None:
        worker = self._workers[place]
        task, worker.task = worker.task, None
        assert task is not None
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._workers[place] = self._begun(worker.name)
            deaths[task.number] += 1
            if deaths[task.number] < MOST_DEATHS:
                waiting.appendleft(task)
                return None
            said = f"The actor that evaluated it died {MOST_DEATHS} times, the last time so: {error}"
            return Outcome(number=task.number, status="died", error=said, worker=worker.name)

    def _overdue(self, place: int) -> Outcome | None:
        worker = self._workers[place]
        if self._timeout is None or worker.task is None or time.monotonic() < worker.since + self._timeout:
            return None
        self._ray.kill(worker.actor)
        self._workers[place] = self._begun(worker.name)
        said = f"The evaluation took more than {self._timeout:g} seconds (timeout=), and was ended."
        number = worker.task.number
        return Outcome(number=number, status="timeout", error=said, seconds=self._timeout, worker=worker.name)
