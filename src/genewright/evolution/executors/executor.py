"""Executor: who evaluates the individuals of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from genewright.calls import Answering
from genewright.evolution.evaluation import Job, Outcome, Task
from genewright.evolution.individual import Genome


class Crew(ABC):
    """The workers of one run, from its start to its end."""

    @abstractmethod
    def evaluate(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of every task, in whatever order they come to be known."""

    @abstractmethod
    def close(self) -> None:
        """Let the workers go; also after an error in the middle of `evaluate`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Executor(ABC, metaclass=Answering):
    """Who evaluates: settings alone, so that one executor may serve several runs."""

    @abstractmethod
    def start(self, job: Job, genomes: Mapping[int, Genome]) -> Crew:
        """Return workers that know what to judge by.

        Args:
            job: The base, the fitness and the rest that travels once.
            genomes: All genomes by number; the driver adds to them as the run goes on.

        Raises:
            SettingError: The job cannot be done here.
        """
