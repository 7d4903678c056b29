"""How much a unit prefers one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import Chunk, Numbers, UnitLayer


@dataclass(frozen=True, kw_only=True)
class ClassSelectivity(Measure):
    """(mu_max - mu_rest) / (mu_max + mu_rest), in [0, 1] where values are not negative.

    mu_max is the largest mean activation over classes, mu_rest the mean of the other classes' means. A sample's
    activation is the mean over its positions. The classes are the targets of the data, integers from 0 on, one a
    sample. 0 for a unit that is 0 for every class; NaN where there is but one class. Two columns: the value, and
    `preferred_class`.

    References:
        Morcos, Barrett, Rabinowitz, Botvinick, "On the Importance of Single Directions for Generalization",
        arXiv:1803.06959, equation 1.
    """

    columns: ClassVar[tuple[str, ...]] = ("class_selectivity", "preferred_class")
    reads: ClassVar[frozenset[str]] = frozenset({"labels"})
    by_sample: ClassVar[bool] = True
    dense: ClassVar[bool] = True
    spare: ClassVar[Literal["low", "high", ""]] = ""

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return _ClassSelectivity(layer.units)


class _ClassSelectivity(Gauge):
    def __init__(self, units: int) -> None:
        self._sums, self._counts = np.zeros((0, units)), np.zeros(0)

    def add(self, chunk: Chunk) -> None:
        assert chunk.labels is not None  # data without labels has been refused
        classes = max(len(self._counts), int(chunk.labels.max()) + 1)
        missing = classes - len(self._counts)
        self._sums = np.pad(self._sums, ((0, missing), (0, 0)))
        self._counts = np.pad(self._counts, (0, missing))
        np.add.at(self._sums, chunk.labels, chunk.sample_means())
        self._counts += np.bincount(chunk.labels, minlength=classes)

    def value(self) -> dict[str, Numbers]:
        seen = np.flatnonzero(self._counts)
        units = self._sums.shape[1]
        if len(seen) < 2:
            return {name: np.full(units, np.nan) for name in ClassSelectivity.columns}
        means = self._sums[seen] / self._counts[seen, None]
        best = means.argmax(axis=0)
        largest = means.max(axis=0)
        rest = (means.sum(axis=0) - largest) / (len(seen) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where((largest == 0) & (rest == 0), 0.0, (largest - rest) / (largest + rest))
        preferred = np.where(np.isfinite(largest), seen[best].astype(np.float64), np.nan)
        return {"class_selectivity": value, "preferred_class": preferred}
