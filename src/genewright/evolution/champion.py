"""Who leads: the best individual so far, where one that is evaluated again counts with its mean."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from genewright.evolution.individual import Genome, Individual


class Champion:
    """Keeps the fitness of every individual; the first objective where there are several.

    An individual that is its parent evaluated once more counts for that parent, whose fitness becomes the mean.

    Args:
        genomes: The genomes by number.
    """

    def __init__(self, genomes: Mapping[int, Genome]) -> None:
        self._genomes = genomes
        self._fitness = array("d")
        self._evaluations: dict[int, list[float]] = {}

    def learn(self, individual: Individual) -> None:
        """Take in an individual; they come in order."""
        value = individual.objective
        own = float("-inf") if value is None else value
        if individual.reevaluates and value is not None:
            first = self._original(individual.number)
            evaluations = self._evaluations.setdefault(first, [self._fitness[first]])
            evaluations.append(value)
            finite = [one for one in evaluations if one > float("-inf")]
            self._fitness[first] = sum(finite) / len(finite)
            own = float("-inf")
        self._fitness.append(own)

    def best(self) -> int | None:
        """Return the number of the best, of equal ones the oldest; None while none has a fitness."""
        if not self._fitness:
            return None
        number = int(np.frombuffer(self._fitness).argmax())
        return number if self._fitness[number] > float("-inf") else None

    def fitness(self, number: int) -> float:
        """Return the fitness of an individual: the mean of its evaluations."""
        return self._fitness[number]

    def _original(self, number: int) -> int:
        while self._genomes[number].parents and self._genomes[number].operator is None:
            number = self._genomes[number].parents[0]
        return number
