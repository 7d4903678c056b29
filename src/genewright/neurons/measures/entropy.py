"""The entropy of a unit's response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.errors import SettingError
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.neurons.reservoir import Reservoir
from genewright.observation import Chunk, Numbers, UnitLayer


@dataclass(frozen=True, kw_only=True)
class Entropy(Measure):
    """-sum_b p_b ln p_b, in nats, over equal bins between a unit's smallest and largest response; 0 if it is constant.

    A sample's response is the mean over its positions, as the paper pools feature maps. Of more than `samples` samples,
    that many are drawn by the seed.

    Args:
        bins: How many bins.
        samples: How many samples are kept, at most.

    References:
        Luo, Wu, "An Entropy-based Pruning Method for CNN Compression", arXiv:1706.05791, section 3.2.
    """

    by_sample: ClassVar[bool] = True
    reads: ClassVar[frozenset[str]] = frozenset({"seed"})
    dense: ClassVar[bool] = True

    bins: int = 16
    samples: int = 1024

    def __post_init__(self) -> None:
        if self.bins < 2 or self.samples < 2:
            raise SettingError(f"Entropy: bins and samples are at least 2; received {self.bins} and {self.samples}.")

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return _Entropy(self, layer, around)


class _Entropy(Gauge):
    def __init__(self, measure: Entropy, layer: UnitLayer, around: Surroundings) -> None:
        self._bins, self._units = measure.bins, layer.units
        self._kept = Reservoir(measure.samples, around.noise.stream(layer.name), by_sample=True)

    def add(self, chunk: Chunk) -> None:
        self._kept.add(chunk)

    def value(self) -> Numbers:
        rows = self._kept.rows()
        if rows is None:
            return np.full(self._units, np.nan)
        low, high = rows.min(axis=0), rows.max(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = (rows - low) / (high - low) * self._bins
            bins = np.clip(np.nan_to_num(place), 0, self._bins - 1).astype(np.int64)
            flat = bins + np.arange(self._units) * self._bins
            counts = np.bincount(flat.reshape(-1), minlength=self._units * self._bins)
            shares = counts.reshape(self._units, self._bins) / len(rows)
            entropy = -np.where(shares > 0, shares * np.log(shares), 0.0).sum(axis=1) + 0.0
        return np.where(np.isfinite(rows).all(axis=0), entropy, np.nan)
