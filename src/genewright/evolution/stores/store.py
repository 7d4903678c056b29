"""Store: where the individuals of a run are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from genewright.evolution.individual import Individual


@dataclass(frozen=True)
class Generation:
    """What became of one generation; numbers are of the first objective.

    Attributes:
        number: Its number; the base alone is generation 0.
        individuals: How many individuals it has.
        failed: How many of these have no fitness.
        best: The best fitness in it; None where none has one.
        median: The median.
        worst: The worst.
        seconds: The seconds that its individuals took, together.
    """

    number: int
    individuals: int
    failed: int
    best: float | None
    median: float | None
    worst: float | None
    seconds: float


class Store(ABC):
    """Keeps the individuals of one run, in the order of their numbers or not."""

    @abstractmethod
    def begin(self, about: Mapping[str, Any]) -> None:
        """Keep what the run is: settings and signatures, as JSON can hold them.

        Raises:
            StoreError: There is a run already.
        """

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what `begin` kept.

        Raises:
            StoreError: There is no run.
        """

    @abstractmethod
    def write(self, individuals: Sequence[Individual]) -> None:
        """Keep individuals; when it returns, they are there whatever happens to this process.

        Raises:
            StoreError: They cannot be kept (a full disk); what was there before is as it was.
        """

    @abstractmethod
    def individual(self, number: int) -> Individual:
        """Return one individual.

        Raises:
            UnknownNameError: There is none of that number.
        """

    @abstractmethod
    def individuals(self, first: int = 0) -> Iterator[Individual]:
        """Yield the individuals from a number on, in order."""

    @abstractmethod
    def columns(self) -> dict[str, Sequence[Any]]:
        """Return what is known of each individual, in order: one column a name.

        They are "number", "generation", "fitness" (the first objective, None where there is none), "seconds",
        "mutation", "status", "parent" (the first, None for the base) and "reevaluates".
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the store, so that others may have it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
