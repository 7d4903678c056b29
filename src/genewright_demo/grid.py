"""The main job: mutants over a grid of strengths and rates, each compared with the original; and the best of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import genewright as gw
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed

STRENGTHS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One mutant of the grid.

    Attributes:
        std: Strength of the noise, in standard deviations of each tensor.
        rate: Share of the weights and biases that changed.
        accuracy: On the held-out images.
        agreement: Share of the held-out images that it classifies as the original does.
        relative_error: Largest change of an output, relative to the largest output.
    """

    std: float
    rate: float
    accuracy: float
    agreement: float
    relative_error: float

    @property
    def size(self) -> float:
        """The expected size of the mutation: std * sqrt(rate), its root mean square in units of each tensor."""
        return self.std * math.sqrt(self.rate)

    def to_json(self) -> dict[str, Any]:
        """Return the cell as JSON holds it."""
        return asdict(self)


def mutation(std: float, rate: float) -> gw.GaussianNoise:
    """Return the operator of a cell."""
    return gw.GaussianNoise(std=std, rate=rate, relative_to="tensor")


def mutate_over_grid(model: Any, digits: Digits, seed: Seed, console: Console) -> list[Cell]:
    """Mutate weights and biases by every strength and rate, undo it each time, and return what was found."""
    data = digits.held_images, digits.held_labels
    kept = copy.deepcopy(model)
    cells: list[Cell] = []
    pairs = [(std, rate) for std in STRENGTHS for rate in RATES]
    for std, rate in console.track(pairs, "Mutating", len(pairs)):
        with gw.mutated(model, mutation(std, rate), seed=seed) as mutant:
            found = gw.compare(kept, mutant, data)
        cells.append(
            Cell(
                std=std,
                rate=rate,
                accuracy=found.metrics["accuracy"].after,
                agreement=found.agreement or 0.0,
                relative_error=found.relative_error,
            )
        )
    return cells


def best_of(cells: Sequence[Cell]) -> Cell:
    """Return the cell of highest held-out accuracy; among equals, that of the largest mutation."""
    return max(cells, key=lambda cell: (cell.accuracy, cell.size))
