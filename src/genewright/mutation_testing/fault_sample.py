"""How many faults to draw, and when to look: sample sizes for a finite population, and a fixed schedule of looks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genewright.calls import answered
from genewright.errors import SettingError
from genewright.mutation_testing.criteria.criterion import statistics

_PORTIONS = (8, 4, 2, 1)  # a look when one in so many of the faults is done
_SPENT = (0.05, 0.05, 0.1, 0.8)  # of alpha, at each


@answered(who="gw.testing.fault_sample_size")
def fault_sample_size(population: int, *, margin: float = 0.01, confidence: float = 0.99) -> int:
    """Return how many faults, drawn without replacement, tell a rate to within a margin, whatever the rate is.

    n = N t^2 / 4 / (e^2 (N - 1) + t^2 / 4) with t the normal quantile of the confidence: the worst case, a rate of 1/2.

    Args:
        population: N, how many different faults there are.
        margin: e, half the width of the interval.
        confidence: Of the interval, between 0 and 1.

    Raises:
        SettingError: A number is out of its range.

    Example:
        >>> fault_sample_size(210_240, margin=0.01, confidence=0.99)
        15375
        >>> fault_sample_size(11_700_000 * 32, margin=0.05, confidence=0.95)
        385

    References:
        Leveugle et al., "Statistical Fault Injection: Quantified Error and Confidence", DATE 2009, equation 4.
    """
    check_margin(margin, confidence)
    if isinstance(population, bool) or not isinstance(population, int) or population < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"fault_sample_size: population is an int of at least 1; received {population!r}.")
    worst = float(statistics().norm.ppf(0.5 + confidence / 2)) ** 2 / 4
    return min(population, math.ceil(population * worst / (margin**2 * (population - 1) + worst)))


def check_margin(margin: float, confidence: float) -> None:
    """Refuse a margin or a confidence that is none.

    Raises:
        SettingError: It is not between 0 and 1 (a margin: not up to 1/2).
    """
    for name, value, high in (("margin", margin, 0.5), ("confidence", confidence, 1.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < high:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"{name}: expected a number between 0 and {high:g}; received {value!r}.")


@dataclass(frozen=True)
class Look:
    """A moment at which the rate is looked at.

    Attributes:
        faults: How many faults are done.
        alpha: The error that its interval may make; those of all looks sum to 1 - confidence.
    """

    faults: int
    alpha: float


def looks(population: int, *, margin: float, confidence: float, sequential: bool = True) -> tuple[Look, ...]:
    """Return when a rate is looked at, settled before the first fault.

    An interval at each look that errs with its own share of alpha is right at all of them together with the confidence
    (Bonferroni), so the run may stop at the first that is narrow enough. The last look has 80 % of alpha, and so many
    faults that the margin holds whatever the rate is.

    Args:
        population: How many different faults there are.
        margin: Half the width at which the run stops.
        confidence: Of all looks together.
        sequential: Whether to look before the end; else once, with `fault_sample_size` faults.

    Raises:
        SettingError: A number is out of its range.

    >>> [look.faults for look in looks(210_240, margin=0.01, confidence=0.99)]
    [2029, 4057, 8114, 16227]
    """
    check_margin(margin, confidence)
    alpha = 1 - confidence
    if not sequential:
        return (Look(fault_sample_size(population, margin=margin, confidence=confidence), alpha),)
    most = fault_sample_size(population, margin=margin, confidence=1 - _SPENT[-1] * alpha)
    found = [Look(-(-most // portion), share * alpha) for portion, share in zip(_PORTIONS, _SPENT, strict=True)]
    return tuple(look for at, look in enumerate(found) if at + 1 == len(found) or look.faults < found[at + 1].faults)
