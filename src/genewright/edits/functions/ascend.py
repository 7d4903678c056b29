"""Steps along weighted sums of seeded noise that an optimizer with moments makes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.edits.members import Members, fault_of, rounding_stream, sum_of
from genewright.elements import decoded, encoded
from genewright.noise import add_rounded, apply
from genewright.part import Part, grid

Floats = NDArray[np.float64]
OPTIMIZERS = ("momentum", "adam")


@dataclass
class Moments:
    """The running means of past gradients, by tensor; an optimizer goes on with them.

    Attributes:
        first: The mean of the gradients.
        second: The mean of their squares.
        decays: b1^t and b2^t after t generations, as products, which are the same on every machine.
    """

    first: dict[str, Floats] = field(default_factory=dict[str, Floats])
    second: dict[str, Floats] = field(default_factory=dict[str, Floats])
    decays: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Ascend(Function):
    """One step a generation along g = sum_i a_i z(seed_i), a `noise.WeightedSum` from zeros.

    Moments and steps are in float64; what is added to the weights is rounded to the computing type first. With decays
    b1 and b2, in the t-th step:

    | optimizer | step |
    |---|---|
    | momentum | m, with m = b1 m + (1 - b1) g |
    | adam | (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon), with v = b2 v + (1 - b2) g^2 |

    and w = w + rate * (step - decay * w).

    Attributes:
        generations: For each generation its members, each a seed and a weight.
        salt: The name of the operator that the members were perturbed by.
        optimizer: See above.
        rate: The learning rate.
        decays: b1 and b2.
        epsilon: See above.
        decay: Weight decay.
        noise_rate: The rate of the members' noise.
        rank: Its rank; 0 for noise of full rank.
        rounding: "nearest" or "stochastic", of half types.
    """

    generations: Any
    salt: str
    optimizer: str
    rate: float
    decays: Any
    epsilon: float
    decay: float
    noise_rate: float = 1.0
    rank: int = 0
    rounding: str = "nearest"

    def __call__(self, values: Any, given: Given) -> Any:
        return self.ascended(values, given, None, None)

    def ascended(self, values: Any, given: Given, start: Moments | None, end: Moments | None) -> Any:
        """Return the new values; go on with the moments of `start`, and leave those of the last step in `end`."""
        held = np.asarray(values.cpu() if hasattr(values, "new_tensor") else values)
        zeros = np.zeros(held.shape)
        first = zeros if start is None else start.first.get(given.tensor, zeros)
        second = zeros if start is None else start.second.get(given.tensor, zeros)
        products = (1.0, 1.0) if start is None else start.decays
        early, late = self.decays
        for members in self.generations:
            gradient = self._gradient(members, given)
            products = products[0] * early, products[1] * late
            step = first = early * first + (1 - early) * gradient
            if self.optimizer == "adam":
                second = late * second + (1 - late) * (gradient * gradient)
                step = (first / (1 - products[0])) / (np.sqrt(second / (1 - products[1])) + self.epsilon)
            with np.errstate(over="ignore", invalid="ignore"):  # what leaves the dtype's range becomes infinite
                step = step - self.decay * held.astype(np.float64) if self.decay else step  # 0 * infinity would be NaN
                held = self._moved(held, self.rate * step, members, given)
        if end is not None:
            end.first[given.tensor], end.second[given.tensor], end.decays = first, second, products
        return values.new_tensor(held) if hasattr(values, "new_tensor") else held

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if self.optimizer not in OPTIMIZERS:
            return f"no optimizer is called {self.optimizer!r}"
        if not _are_decays(self.decays):
            return "decays are two numbers from 0 to below 1"
        generations = _entries(self.generations, [None])
        faults = (
            fault_of(one, rate=self.noise_rate, rank=self.rank, shape=shape, rounding=self.rounding)
            for one in generations
        )
        return next(filter(None, faults), "")

    def words(self) -> str:
        generations = cast("list[list[Any]]", self.generations)
        members = sum(len(each) for each in generations)
        return f"{len(generations)} steps of {self.optimizer} along {members} weighted directions"

    def _gradient(self, members: Members, given: Given) -> Floats:
        total = np.zeros(math.prod(given.shape), "float64" if given.dtype == "float64" else "float32")
        change = sum_of(members, given.tensor, given.shape, salt=self.salt, rate=self.noise_rate, rank=self.rank)
        apply(total, change, rounding_stream(members, given.tensor), dtype=str(total.dtype))
        return total.reshape(given.shape)[grid(given.part, given.shape)].astype(np.float64)

    def _moved(self, held: NDArray[Any], step: Floats, members: Members, given: Given) -> NDArray[Any]:
        """Return the values after a step, in the computing type."""
        if given.dtype not in ("float16", "bfloat16"):
            return held + step.astype(held.dtype)
        place, size = grid(given.part, given.shape), math.prod(given.shape)
        old, added = np.zeros(size, np.float32), np.zeros(size, np.float32)  # whole: words go by an element's index
        old.reshape(given.shape)[place], added.reshape(given.shape)[place] = held, step
        stored = encoded(old, given.dtype)
        stream = rounding_stream(members, given.tensor) if self.rounding == "stochastic" else None
        add_rounded(stored, added, stream, dtype=given.dtype)
        return decoded(stored, given.dtype).reshape(given.shape)[place]


def _entries(value: Any, other: list[Any]) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else other


def _are_decays(value: Any) -> bool:
    entries = _entries(value, [])
    return len(entries) == 2 and all(isinstance(one, float) and 0 <= one < 1 for one in entries)
