"""Evaluation of many individuals in one pass, in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genewright.backends import backend_of
from genewright.errors import SettingError, StoreError
from genewright.evolution.evaluation import Evaluator, Job, Outcome, Task
from genewright.evolution.executors.executor import Crew, Executor
from genewright.evolution.individual import Genome
from genewright.evolution.values import Value, checked, mean
from genewright.fitness.fitness import Fitness
from genewright.operator import AnyOperator, changes_layers, donors_of
from genewright.operators.weights.evolution_noise import EvolutionNoise
from genewright.operators.weights.evolution_update import EvolutionUpdate
from genewright.operators.weights.low_rank_noise import LowRankNoise
from genewright.populations.memory import bytes_of
from genewright.populations.population import Population, siblings
from genewright.seeding import Seed

_FEWEST = 2  # individuals that gain from running together


@dataclass(frozen=True)
class Batched(Executor):
    """Evaluate children of one form in one pass where that can be done, in this process; the others in turn.

    For torch modules and a fitness that judges outputs, such as `gw.fitness.Supervised`: children by one operator, of
    parents that differ in their values alone, run as `gw.population` runs them; of one parent alone where the noise has
    low rank, so that they share its products. Crossover, changes of layers and shapes, training and other fitnesses go
    as with `gw.Serial()`. Outputs differ from its by rounding; the run is the same, byte for byte, where the fitness
    values are. Those of a loss are nearly so; and as a run that was killed within a generation goes on with the rest of
    it, by a loss it might then take another of two that are nearly equal. Accuracies are the same.

    Args:
        memory: What stacked weights and layers' outputs may take, such as "2 GB"; None for no limit.

    Raises:
        SettingError: `memory` is not a number of bytes; in a run, there is `timeout=`, or the model is no torch module.

    Example:
        >>> import genewright as gw
        >>> gw.Batched(memory="512 MB")
        Batched(memory='512 MB')
    """

    memory: str | int | None = "2 GB"

    def __post_init__(self) -> None:
        bytes_of("Batched", self.memory)

    def start(self, job: Job, genomes: Mapping[int, Genome]) -> Crew:
        if job.timeout is not None:
            raise SettingError(
                f"timeout={job.timeout:g} needs a process that can be ended, and Batched evaluates in this one. "
                "Write executor=gw.Processes(1)."
            )
        if backend_of(job.base).name != "torch":
            raise SettingError(
                f"Batched runs torch modules together, and a {type(job.base).__name__} is of "
                f"{backend_of(job.base).name}. Write executor=gw.Serial()."
            )
        return _Together(Evaluator(job, genomes, "batched"), job, genomes, self.memory)


class _Together(Crew):
    def __init__(self, evaluator: Evaluator, job: Job, genomes: Mapping[int, Genome], memory: str | int | None) -> None:
        self._evaluator = evaluator
        self._job = job
        self._memory = memory
        self._genomes = genomes
        self._forms: dict[int, int] = {}  # by number, as far as they have been asked for
        self._before: dict[str, Population] = {}  # by what was asked of it: what a pass takes is measured once

    def evaluate(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        groups: dict[Any, list[Task]] = {}
        for task in tasks:
            groups.setdefault(self._group(task), []).append(task)
        for key, group in groups.items():
            together = None if key is None or len(group) < _FEWEST else self._judged(group)
            yield from map(self._evaluator.evaluate, group) if together is None else together

    def close(self) -> None:
        self._before.clear()

    def _group(self, task: Task) -> Any:
        """Return what children that run together have in common; None for one that runs alone."""
        genome, fitness = task.genome, self._job.fitness
        operator = genome.operator
        if operator is None or len(genome.parents) != 1 or self._job.training is not None:
            return None
        if not (isinstance(fitness, Fitness) and fitness.judges_outputs):
            return None
        if isinstance(operator, EvolutionUpdate) or changes_layers(operator) or donors_of(operator):
            return None
        kind = json.dumps(operator.to_json(), sort_keys=True)
        if _of_low_rank(operator):  # what is shared with the parent is computed once
            return task.generation, genome.parents[0], kind, genome.strength
        return task.generation, self._form(genome.parents[0]), kind

    def _family(self, tasks: Sequence[Task]) -> tuple[Any, AnyOperator, list[Seed]]:
        genome = tasks[0].genome
        operator = genome.mutation
        assert operator is not None
        return self._evaluator.parent_of(genome), operator, [task.genome.seed for task in tasks]

    def _form(self, number: int) -> int:
        """Return the nearest ancestor that had other layers or shapes: what comes of it differs in values alone."""
        line = [number]
        while line[-1] not in self._forms:
            genome = self._genomes[line[-1]]
            if genome.operator is not None and changes_layers(genome.operator):
                self._forms[line[-1]] = line[-1]
            elif genome.parents:
                line.append(genome.parents[0])
            else:
                self._forms[line[-1]] = line[-1]
        found = self._forms[line[-1]]
        self._forms.update(dict.fromkeys(line, found))
        return found

    def _judged(self, tasks: list[Task]) -> list[Outcome] | None:
        """Return the outcomes of children of one form; None where it takes them one by one to say what is wrong."""
        start = time.perf_counter()
        families: dict[tuple[int, float], list[Task]] = {}
        for task in tasks:
            families.setdefault((task.genome.parents[0], task.genome.strength), []).append(task)
        tasks = [task for family in families.values() for task in family]
        rows: list[list[Value]] = [[] for _ in tasks]
        try:
            told = [self._family(family) for family in families.values()]
            kind = json.dumps(tasks[0].genome.operator.to_json(), sort_keys=True) if tasks[0].genome.operator else ""
            key = f"{type(told[0][0]).__qualname__} {len(told) > 1} {kind}"
            made = siblings(told, memory=self._memory, like=self._before.get(key))
            self._before[key] = made
            for repeat in range(self._job.repeats):
                noise = self._evaluator.noise_of(tasks[0], repeat)
                for values, value in zip(rows, self._job.fitness.evaluate_all(made, noise), strict=True):
                    values.append(checked(value))
        except StoreError:  # what the run itself needs is gone
            raise
        except Exception:  # whatever an operator or the model says: each by itself says it again, for its own outcome
            return None
        seconds = (time.perf_counter() - start) / len(tasks)
        return [
            Outcome(
                number=task.number,
                status="evaluated",
                fitness=mean(values) if len(values) > 1 else values[0],
                seconds=seconds,
                worker="batched",
            )
            for task, values in zip(tasks, rows, strict=True)
        ]


def _of_low_rank(operator: AnyOperator) -> bool:
    return isinstance(operator, LowRankNoise) or (isinstance(operator, EvolutionNoise) and operator.rank is not None)
