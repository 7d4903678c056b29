"""Values of embedding rows: nearly all zero, so that counts of look-ups say everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genewright.errors import UnsupportedError
from genewright.observation import Chunk, Numbers, Positions


class LookupCounts(Chunk):
    """Look-ups of an embedding; a row's value is its norm where it is looked up and 0 at all other positions.

    Args:
        looked_up: How often each row is.
        norms: The Euclidean norm of each row.
        samples: How many samples.
        positions: How many positions a sample.
        first: The number of the first sample.
    """

    by_sample = False
    labels: NDArray[np.int64] | None = None

    def __init__(self, looked_up: Numbers, norms: Numbers, samples: int, positions: int, first: int) -> None:
        self.samples, self.positions, self.first = samples, positions, first
        self._often, self._norms = looked_up, norms

    def sums(self) -> Numbers:
        return self._often * self._norms

    def distances(self, centre: float = 0.0) -> Numbers:
        return self._often * np.abs(self._norms - centre) + self._elsewhere * abs(centre)

    def squares(self, about: Numbers | None = None) -> Numbers:
        centre = np.zeros(len(self._norms)) if about is None else about
        return self._often * (self._norms - centre) ** 2 + self._elsewhere * centre**2

    def lowest(self) -> Numbers:
        return np.where(self._elsewhere > 0, 0.0, self._norms)

    def highest(self) -> Numbers:
        return np.where(self._often > 0, self._norms, 0.0)

    def above(self, threshold: float) -> Numbers:
        return self._often * (self._norms > threshold) + self._elsewhere * (threshold < 0)

    def equal(self, value: float) -> Numbers:
        return self._often * (self._norms == value) + self._elsewhere * (value == 0)

    def nonfinite(self) -> Numbers:
        return self._often * ~np.isfinite(self._norms)

    @property
    def _elsewhere(self) -> Numbers:
        return self.count - self._often

    def sample_means(self) -> Numbers:
        raise _undefined()

    def take(self, samples: Positions, positions: Positions) -> Numbers:
        raise _undefined()

    def products(self) -> Numbers:
        raise _undefined()

    def slopes(self) -> Numbers:
        raise _undefined()


def _undefined() -> UnsupportedError:
    return UnsupportedError("Embedding rows are counted, so that single values are not kept. Set `dense = True`.")
