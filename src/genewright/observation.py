"""What the units of a layer put out, batch by batch: how a backend shows it, and what measures ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Positions = NDArray[np.int64]
UnitKind = Literal["linear", "convolution", "norm", "recurrent", "heads", "embedding", "experts"]


@dataclass(frozen=True, kw_only=True)
class UnitLayer:
    """A layer with units, and where these are seen.

    Attributes:
        name: The layer's name.
        kind: What its units are: "linear", "convolution", "norm" and "recurrent" have one number a position, "heads" a
            vector (its Euclidean norm is the unit's value), "embedding" a row (its norm where it is looked up, else 0),
            "experts" an expert (the norm of what it puts out where it is dealt a position, else 0).
        units: How many there are.
        activation: The activation function behind which they are seen, by its neutral name; "" where none follows.
        rows: For each layer whose tensors the units stand in, the unit of each position along its unit axis, -1 where
            it is none's: what a choice of units becomes as ``gw.where(units=...)``, unless they are `named`.
        named: For each name by which ``gw.where(units={name: ...})`` knows units of the layer, which they are here: all
            under its own name, or those of one layer and direction of a recurrent stack.
    """

    name: str
    kind: UnitKind
    units: int
    activation: str = ""
    rows: Mapping[str, Positions] = field(default_factory=dict[str, Positions], hash=False, compare=False)
    named: Mapping[str, Positions] = field(default_factory=dict[str, Positions], hash=False, compare=False)

    @property
    def seen(self) -> str:
        """Where the units are seen, in words."""
        return f"after {self.activation}" if self.activation else "as it is"


class Chunk(ABC):
    """The values of a layer's units for some samples of a batch: samples x positions x units, in float64.

    A position is a pixel of a feature map, a token, a time step; there is one where a sample is a vector. Reductions
    over samples and positions come as arrays of one number a unit, and are worked out once.

    Attributes:
        samples: How many samples.
        positions: How many positions a sample.
        first: The number of its first sample in the data.
        by_sample: Whether it is known which sample each position belongs to; where not, all are of one.
        labels: The class of each sample, or None.
    """

    samples: int
    positions: int
    first: int = 0
    by_sample: bool = True
    labels: NDArray[np.int64] | None = None

    @property
    def count(self) -> int:
        """How many values each unit has here."""
        return self.samples * self.positions

    @abstractmethod
    def sums(self) -> Numbers:
        """Return the sum of each unit's values."""

    @abstractmethod
    def distances(self, centre: float = 0.0) -> Numbers:
        """Return the sum of |value - centre|."""

    @abstractmethod
    def squares(self, about: Numbers | None = None) -> Numbers:
        """Return the sum of (value - about)^2, `about` one number a unit or None for zero."""

    def spread(self) -> tuple[Numbers, Numbers]:
        """Return the mean of each unit's values, and the sum of the squared distances from it."""
        known: tuple[Numbers, Numbers] | None = vars(self).get("_spread")
        if known is None:
            means = self.sums() / self.count
            known = vars(self)["_spread"] = means, self.squares(means)
        return known

    @abstractmethod
    def lowest(self) -> Numbers:
        """Return the smallest value of each unit; NaN where one is NaN."""

    @abstractmethod
    def highest(self) -> Numbers:
        """Return the largest value of each unit; NaN where one is NaN."""

    @abstractmethod
    def above(self, threshold: float) -> Numbers:
        """Return how many values are larger than `threshold`."""

    @abstractmethod
    def equal(self, value: float) -> Numbers:
        """Return how many values are exactly `value`."""

    @abstractmethod
    def nonfinite(self) -> Numbers:
        """Return how many values are NaN or infinite."""

    @abstractmethod
    def sample_means(self) -> Numbers:
        """Return the mean over positions, of shape (samples, units)."""

    @abstractmethod
    def take(self, samples: Positions, positions: Positions) -> Numbers:
        """Return the values at some places, of shape (places, units)."""

    @abstractmethod
    def products(self) -> Numbers:
        """Return the sum over positions of value times gradient of the sample's loss, of shape (samples, units)."""

    @abstractmethod
    def slopes(self) -> Numbers:
        """Return the sum over positions of the gradient's absolute value, of shape (samples, units)."""


Sink = Callable[[tuple[str, ...], Chunk], None]
"""Is handed the names of the layers that a chunk belongs to, and the chunk."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be seen of a run.

    Attributes:
        values: Takes the values of units.
        inputs: Takes what layers are given, one unit a feature; None where nobody asks.
        gradients: Whether chunks have gradients of the loss.
    """

    values: Sink
    inputs: Sink | None = None
    gradients: bool = False


class Observer(ABC):
    """Runs a model and shows what its units put out; the model is as it was afterwards.

    Attributes:
        layers: The layers with units that a run has reached, by name; complete after the first run.
        left_out: Names of layers whose units cannot be seen, with the reason.
    """

    layers: dict[str, UnitLayer]
    left_out: dict[str, str]

    @abstractmethod
    def look(self, samples: Iterable[tuple[int, Any]]) -> None:
        """Learn where units are seen, from (number of samples, batch) of small batches of different length."""

    @abstractmethod
    def run(
        self,
        batch: Any,
        count: int,
        first: int,
        wanted: Wanted,
        *,
        loss: Any = None,
        targets: Any = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        """Run one batch in evaluation mode and hand over what is wanted.

        Args:
            batch: What the model takes.
            count: How many samples it holds.
            first: The number of its first sample in the data.
            wanted: What is to be seen.
            loss: A name or a function (outputs, targets) -> loss, where gradients are wanted.
            targets: The targets of the batch.
            labels: The class of each sample, where they are classes.
        """
