"""A run that is kept in memory, and gone with the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genewright.errors import UnknownNameError
from genewright.evolution.individual import Individual
from genewright.evolution.stores.store import Store


class MemoryStore(Store):
    """Keeps a run as long as somebody holds it."""

    def __init__(self) -> None:
        self._about: dict[str, Any] = {}
        self._individuals: dict[int, Individual] = {}

    def begin(self, about: Mapping[str, Any]) -> None:
        self._about = dict(about)

    def about(self) -> dict[str, Any]:
        return self._about

    def write(self, individuals: Sequence[Individual]) -> None:
        self._individuals.update((one.number, one) for one in individuals)

    def individual(self, number: int) -> Individual:
        if number not in self._individuals:
            raise UnknownNameError(f"The run has no individual {number}; they are 0 to {len(self._individuals) - 1}.")
        return self._individuals[number]

    def individuals(self, first: int = 0) -> Iterator[Individual]:
        return (self._individuals[number] for number in sorted(self._individuals) if number >= first)

    def columns(self) -> dict[str, Sequence[Any]]:
        every = list(self.individuals())
        return {
            "number": [one.number for one in every],
            "generation": [one.generation for one in every],
            "fitness": [one.objective for one in every],
            "seconds": [one.seconds for one in every],
            "mutation": [one.mutation for one in every],
            "status": [one.status for one in every],
            "parent": [one.parents[0] if one.parents else None for one in every],
            "reevaluates": [one.reevaluates for one in every],
        }

    def close(self) -> None:
        pass
