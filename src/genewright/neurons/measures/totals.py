"""Totals: a gauge that adds one number a unit for every chunk, and the mean that most measures are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from genewright.neurons.registry import Gauge
from genewright.observation import Chunk, Numbers


class Total(Gauge):
    """Adds what a function makes of each chunk, in float64, and divides it by what there is to divide by.

    Args:
        units: How many units.
        of: Makes one number a unit of a chunk.
        finish: Makes the value of the totals' means.
        a_sample: Divide by the number of samples, not by that of samples times positions.
    """

    def __init__(
        self,
        units: int,
        of: Callable[[Chunk], Numbers],
        finish: Callable[[Numbers], Numbers] | None = None,
        *,
        a_sample: bool = False,
    ) -> None:
        self._total, self._count = np.zeros(units), 0
        self._of, self._finish, self._a_sample = of, finish, a_sample

    def add(self, chunk: Chunk) -> None:
        self._total += self._of(chunk)
        self._count += chunk.samples if self._a_sample else chunk.count

    def value(self) -> Numbers:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self._total / self._count if self._count else np.full(len(self._total), np.nan)
            return mean if self._finish is None else self._finish(mean)


class Moments(Gauge):
    """Mean and variance by merging those of chunks, so that nothing cancels; and the smallest and largest values.

    References:
        Chan, Golub, LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37 (1983).
    """

    def __init__(self, units: int) -> None:
        self.count = 0
        self.mean, self.squares = np.zeros(units), np.zeros(units)
        self.lowest, self.highest = np.full(units, np.inf), np.full(units, -np.inf)

    def add(self, chunk: Chunk) -> None:
        if not chunk.count:
            return
        mean, squares = chunk.spread()
        total = self.count + chunk.count
        with np.errstate(invalid="ignore"):
            apart = mean - self.mean
            self.squares += squares + apart**2 * (self.count * chunk.count / total)
            self.mean += apart * (chunk.count / total)
        self.count = total
        self.lowest, self.highest = np.minimum(self.lowest, chunk.lowest()), np.maximum(self.highest, chunk.highest())

    def variance(self) -> Numbers:
        """Return the mean squared distance from the mean; exactly 0 where all values are one."""
        if not self.count:
            return np.full(len(self.mean), np.nan)
        return np.where(self.lowest == self.highest, 0.0, self.squares / self.count)

    def value(self) -> Numbers:
        return self.variance()


def over_the_mean(means: Numbers) -> Numbers:
    """Return numbers divided by their mean over the layer's units; 0 where all are 0."""
    whole = means.mean() if len(means) else np.nan
    return np.zeros(len(means)) if whole == 0 else means / whole
