"""FaultShare: how many of some faults do harm, with an interval for all faults that there are."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.mutation_testing.finite_interval import finite_interval


@dataclass(frozen=True)
class FaultShare:
    """A share of faults with its denominators.

    Attributes:
        failed: How many of the faults that were injected did harm.
        of: How many were injected.
        population: How many there are.
        low: Lower bound of the share of the population.
        high: Its upper bound.
    """

    failed: int
    of: int
    population: int
    low: float
    high: float

    @classmethod
    def counted(cls, failed: int, of: int, population: int, alpha: float) -> FaultShare:
        """Return the share with its exact interval, which errs with probability `alpha` at most."""
        return cls(failed, of, population, *finite_interval(failed, of, population, 1 - alpha))

    @property
    def share(self) -> float | None:
        """Failed / of; None of none."""
        return self.failed / self.of if self.of else None

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        if not self.of:
            return f"0 of 0, of {self.population:,}"
        return f"{self.failed:,} of {self.of:,} ({self.failed / self.of:.2%}, {self.low:.2%} to {self.high:.2%})"
