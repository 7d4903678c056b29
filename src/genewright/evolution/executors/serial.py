"""Evaluation in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from genewright.errors import SettingError
from genewright.evolution.evaluation import Evaluator, Job, Outcome, Task
from genewright.evolution.executors.executor import Crew, Executor
from genewright.evolution.individual import Genome


class _Alone(Crew):
    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def evaluate(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        return map(self._evaluator.evaluate, tasks)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Serial(Executor):
    """Evaluate one individual after the other, in this process.

    Nothing has to travel, so the fitness function may be any closure. Nobody can end a function that hangs, though, and
    one that kills its process kills the run (which `gw.resume` goes on with).

    Raises:
        SettingError: A run with `timeout=` is started.

    Example:
        >>> import genewright as gw
        >>> gw.Serial()
        Serial()
    """

    def start(self, job: Job, genomes: Mapping[int, Genome]) -> Crew:
        if job.timeout is not None:
            raise SettingError(
                f"timeout={job.timeout:g} needs a process that can be ended, and Serial evaluates in this one. "
                "Write executor=gw.Processes(1)."
            )
        return _Alone(Evaluator(job, genomes, "serial"))
