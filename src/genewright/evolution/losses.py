"""Losses: individuals without a fitness, and when a run that has nothing else is given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from genewright.errors import EvolutionError
from genewright.evolution.individual import Individual

_PATIENCE = 10  # individuals in a row without a fitness, at least, before a run is given up


class Losses:
    """Counts the individuals in a row that have no fitness."""

    def __init__(self) -> None:
        self._lost = 0
        self._last: list[Individual] = []  # of them, those of the last generation

    def add(self, individuals: Sequence[Individual], generation: int) -> None:
        """Take in a generation.

        Raises:
            EvolutionError: Nothing succeeds, in it and for long enough; the message says why.
        """
        self._last = [one for one in individuals if one.fitness is None]
        everything = len(self._last) == len(individuals)
        self._lost = self._lost + len(self._last) if everything else 0
        if everything and (self._lost >= _PATIENCE or (generation == 1 and len(self._last) > 1)):
            raise self._all_lost(generation)

    def refuse_end(self, generation: int, count: int) -> None:
        """Refuse the end of a run in which no individual but the base had a fitness.

        Args:
            generation: The last one.
            count: How many individuals there are, the base among them.

        Raises:
            EvolutionError: It is one.
        """
        if self._lost and self._lost == count - 1:
            raise self._all_lost(generation)

    def _all_lost(self, generation: int) -> EvolutionError:
        first = self._last[0]
        counts = Counter(one.status for one in self._last)
        if counts["refused"] == len(self._last):
            where = "individuals of generation 1" if generation == 1 else "individuals up to here"
            return EvolutionError(
                f"The mutation does not apply: {self._lost} of {self._lost} {where} were refused. The first refusal: "
                f"{first.error}"
            )
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        return EvolutionError(
            f"No individual of generation {generation} has a fitness ({said}), so there is nothing to go on with. "
            f"Individual {first.number}:\n{first.error}"
        )
