"""Evaluation: one individual is made, judged, and what became of it is said; nothing that it does stops the run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genewright.backends import backend_of
from genewright.errors import FileError, GenewrightError, SettingError, StoreError
from genewright.evolution.grower import CACHE_BYTES, Grower
from genewright.evolution.individual import Genome, Status
from genewright.evolution.trained_weights import TrainedWeights
from genewright.evolution.training import Training, Trial
from genewright.evolution.values import Value, checked, mean
from genewright.fitness.fitness import judged
from genewright.seeding import Noise, Seed

_MOST_TEXT = 8000  # of a traceback: its end says what happened


@dataclass(frozen=True, kw_only=True)
class Job:
    """What every worker of a run has to know; it travels once.

    Attributes:
        base: The network that all individuals descend from.
        fitness: What judges them.
        example: What operators need that have to see the model run.
        seed: The run's seed.
        repeats: Evaluations of each individual, whose mean counts.
        timeout: Seconds after which one evaluation is given up, or None.
        training: How individuals learn before they are judged, or None.
        trained: Where trained weights are kept, where there is training.
        cache_bytes: How large the parents may be that a worker keeps.
    """

    base: Any
    fitness: Any
    example: Any = None
    seed: Seed
    repeats: int = 1
    timeout: float | None = None
    training: Training | None = None
    trained: TrainedWeights | None = None
    cache_bytes: int = CACHE_BYTES


@dataclass(frozen=True, kw_only=True)
class Task:
    """One individual to be evaluated."""

    number: int
    generation: int
    genome: Genome


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task; see `Individual` for the words."""

    number: int
    status: Status
    fitness: Value | None = None
    error: str = ""
    seconds: float = 0.0
    worker: str = ""
    trained: str = ""


def _nothing() -> None:
    """Tell nobody."""


class Evaluator:
    """Makes and judges individuals, in one process.

    Args:
        job: What to judge by.
        genomes: The genomes of all ancestors of what will be asked for, by number.
        worker: The name of this process in outcomes.
    """

    def __init__(self, job: Job, genomes: Mapping[int, Genome], worker: str = "") -> None:
        self._job = job
        self._worker = worker
        self._genomes = genomes
        self._grower = Grower(job.base, genomes, example=job.example, trained=job.trained, cache_bytes=job.cache_bytes)
        self._backend = backend_of(job.base)

    def evaluate(self, task: Task, began: Callable[[], None] = _nothing) -> Outcome:
        """Make one individual and judge it.

        Args:
            task: The individual.
            began: Is called before each evaluation, once the weights have been made.
        """
        start = time.perf_counter()
        status, fitness, error, trained = self._judged(task, began)
        return Outcome(
            number=task.number,
            status=status,
            fitness=fitness,
            error=error,
            seconds=time.perf_counter() - start,
            worker=self._worker,
            trained=trained,
        )

    def parent_of(self, genome: Genome) -> Any:
        """Return a new network like the first parent of a genome."""
        return self._grower.grown(Genome(parents=genome.parents[:1]))

    def noise_of(self, task: Task, repeat: int) -> Noise:
        """Return what the fitness draws from: all individuals of a generation share it."""
        return Noise(self._job.seed, f"/{task.generation}/{repeat}", "fitness")

    def _judged(self, task: Task, began: Callable[[], None]) -> tuple[Status, Value | None, str, str]:
        try:
            model = self._grower.grown(task.genome)
        except StoreError:  # what the run itself needs is gone
            raise
        except GenewrightError as error:
            return "refused", None, f"{type(error).__name__}: {error}", ""
        values: list[Value] = []
        trained = ""
        try:
            if self._job.training is not None and task.genome.operator is not None:
                began()
                trained = self._taught(model, task, self._job.training)
            for repeat in range(self._job.repeats):
                last = repeat == self._job.repeats - 1
                subject = model if last else self._backend.copy(model)
                began()
                values.append(checked(judged(self._job.fitness, subject, self.noise_of(task, repeat))))
            return "evaluated", mean(values) if len(values) > 1 else values[0], "", trained
        except (StoreError, FileError):
            raise
        except SettingError as error:
            return "failed", None, f"{type(error).__name__}: {error}", ""
        except (Exception, SystemExit):  # whatever a user's function raises
            return "failed", None, traceback.format_exc()[-_MOST_TEXT:], ""

    def _taught(self, model: Any, task: Task, training: Training) -> str:
        """Train a model in place, keep its weights, and return their key."""
        assert self._job.trained is not None
        parent = self._genomes[task.genome.parents[0]].trained
        settings, state = self._job.trained.inherited(parent) if parent else (training.settings, {})
        noise = Noise(task.genome.seed, "/train", "training")
        explored = training.explored(settings, noise)
        seed = noise.stream("seed").key >> 1
        trial = Trial(settings=explored, state=state, seed=seed, generation=task.generation)
        state = training.carry_out(model, trial)
        return self._job.trained.keep(model, explored, state)
