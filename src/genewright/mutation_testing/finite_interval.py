"""The exact interval of a share of a finite population, of which some were drawn without replacement."""

from __future__ import annotations

from collections.abc import Callable

from genewright.mutation_testing.criteria.criterion import statistics
from genewright.mutation_testing.intervals import clopper_pearson


def finite_interval(successes: int, drawn: int, population: int | None, confidence: float) -> tuple[float, float]:
    """Return the interval that Clopper and Pearson's construction gives with the hypergeometric distribution.

    It holds every share K / N under which what was seen or more, and what was seen or less, have a probability above
    (1 - confidence) / 2 each. So it covers with at least the confidence, and is a point where all were drawn.

    Args:
        successes: k, how many of those drawn have the property.
        drawn: n.
        population: N; None for an infinite one, for which it is Clopper and Pearson's interval.
        confidence: Between 0 and 1.

    Example:
        >>> finite_interval(3, 10, 10, 0.99)
        (0.3, 0.3)
        >>> low, high = finite_interval(30, 100, 200, 0.95)
        >>> round(low, 3), round(high, 3)
        (0.24, 0.37)

    References:
        Buonaccorsi, "A Note on Confidence Intervals for Proportions in Finite Populations", The American Statistician
        41(3), 1987; Wright, "Exact Confidence Bounds when Sampling from Small Finite Universes", 1991.
    """
    if population is None:
        return clopper_pearson(successes, drawn, confidence)
    if not drawn:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    law = statistics().hypergeom
    least, most = successes, population - (drawn - successes)  # what was seen is there

    def enough(total: int) -> bool:  # so many or more are likely enough
        return float(law.sf(successes - 1, population, total, drawn)) > tail

    def not_too_many(total: int) -> bool:  # so many or less are likely enough
        return float(law.cdf(successes, population, total, drawn)) > tail

    low = least if not successes else _first(enough, least, most)
    high = most if successes == drawn else _last(not_too_many, low, most)
    return low / population, high / population


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first number of a range from which on something holds."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the last number of a range up to which something holds."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
