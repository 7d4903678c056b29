"""Units that respond as another does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from genewright.errors import SettingError
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.neurons.reservoir import Reservoir
from genewright.observation import Chunk, Numbers, UnitLayer

_BLOCK = 512  # units compared with all others at once: memory stays within units x 512


@dataclass(frozen=True, kw_only=True)
class Duplicates(Measure):
    """The unit of the layer that a unit's values correlate with most, and Pearson's correlation with it, in [-1, 1].

    Two columns: `duplicate_of`, the partner's number (NaN for a unit that is constant, or alone), and
    `duplicate_correlation`. Values at `places` places (a sample and a position of it) are compared, drawn by the seed
    where there are more.

    Args:
        places: How many places are kept, at most.

    References:
        Pearson's correlation. Srinivas, Babu, arXiv:1507.06149, remove duplicates by their weights.
    """

    columns: ClassVar[tuple[str, ...]] = ("duplicate_of", "duplicate_correlation")
    reads: ClassVar[frozenset[str]] = frozenset({"seed"})
    dense: ClassVar[bool] = True
    spare: ClassVar[Literal["low", "high", ""]] = ""

    places: int = 1024

    def __post_init__(self) -> None:
        if self.places < 2:
            raise SettingError(f"Duplicates: places is at least 2; received {self.places}.")

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return _Duplicates(self, layer, around)


class _Duplicates(Gauge):
    def __init__(self, measure: Duplicates, layer: UnitLayer, around: Surroundings) -> None:
        self._units = layer.units
        self._kept = Reservoir(measure.places, around.noise.stream(layer.name))

    def add(self, chunk: Chunk) -> None:
        self._kept.add(chunk)

    def value(self) -> dict[str, Numbers]:
        partner, correlation = np.full(self._units, np.nan), np.full(self._units, np.nan)
        rows = self._kept.rows()
        if rows is not None and len(rows) > 1:
            constant = (rows == rows[0]).all(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                centred = rows - rows.mean(axis=0)
                unit = centred / np.sqrt((centred**2).sum(axis=0))
            fine = np.flatnonzero(np.isfinite(unit).all(axis=0) & ~constant)
            unit = unit[:, fine]
            for start in range(0, len(fine) if len(fine) > 1 else 0, _BLOCK):
                block = np.arange(start, min(start + _BLOCK, len(fine)))
                products = unit[:, block].T @ unit
                products[np.arange(len(block)), block] = -np.inf  # not with itself
                best = products.argmax(axis=1)
                partner[fine[block]] = fine[best]
                correlation[fine[block]] = np.clip(products[np.arange(len(block)), best], -1.0, 1.0)
        return {"duplicate_of": partner, "duplicate_correlation": correlation}
