"""Steps along weighted sums of seeded noise: what an evolution strategy does to its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.elements import rounded
from genewright.noise import Change, apply, derive
from genewright.part import Part, grid

Floats = NDArray[np.float64]
OPTIMIZERS = ("sgd", "momentum", "adam")


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
    """One step a generation along g = sum_i a_i z(seed_i), computed in float64 and rounded to the dtype once a step.

    The terms of positive and those of negative a_i are summed each by itself, in order; g is the first sum minus the
    second. With decays b1 and b2, in the t-th step:

    | optimizer | step |
    |---|---|
    | sgd | g |
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
    """

    generations: Any
    salt: str
    optimizer: str
    rate: float
    decays: Any
    epsilon: float
    decay: float

    def __call__(self, values: Any, given: Given) -> Any:
        return self.ascended(values, given, None, None)

    def ascended(self, values: Any, given: Given, start: Moments | None, end: Moments | None) -> Any:
        """Return the new values; go on with the moments of `start`, and leave those of the last step in `end`."""
        held = np.asarray(values.cpu() if hasattr(values, "new_tensor") else values)
        now = held.astype(np.float64)
        zeros = np.zeros_like(now)
        first = zeros if start is None else start.first.get(given.tensor, zeros)
        second = zeros if start is None else start.second.get(given.tensor, zeros)
        products = (1.0, 1.0) if start is None else start.decays
        early, late = self.decays
        for members in self.generations:
            gradient = self._gradient(members, given)
            products = products[0] * early, products[1] * late
            step = gradient
            if self.optimizer != "sgd":
                step = first = early * first + (1 - early) * gradient
            if self.optimizer == "adam":
                second = late * second + (1 - late) * (gradient * gradient)
                step = (first / (1 - products[0])) / (np.sqrt(second / (1 - products[1])) + self.epsilon)
            with np.errstate(over="ignore", invalid="ignore"):  # what leaves the dtype's range becomes infinite
                step = step - self.decay * now if self.decay else step  # 0 * infinity would be NaN
                moved = (now + self.rate * step).astype(held.dtype)
            now = np.asarray(rounded(moved, given.dtype)).astype(np.float64)
        if end is not None:
            end.first[given.tensor], end.second[given.tensor], end.decays = first, second, products
        made = now.astype(held.dtype)
        return values.new_tensor(made) if hasattr(values, "new_tensor") else made

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if self.optimizer not in OPTIMIZERS:
            return f"no optimizer is called {self.optimizer!r}"
        if not _are_decays(self.decays):
            return "decays are two numbers from 0 to below 1"
        good = all(map(_are_members, _entries(self.generations, [None])))
        return "" if good else "a generation is a list of (seed, weight)"

    def words(self) -> str:
        generations = cast("list[list[Any]]", self.generations)
        members = sum(len(each) for each in generations)
        return f"{len(generations)} steps of {self.optimizer} along {members} weighted directions"

    def _gradient(self, members: Any, given: Given) -> Floats:
        sums = np.zeros((2, *given.shape))
        for seed, weight in members:
            if weight:
                stream = derive(seed, name=given.tensor, path="/0", salt=self.salt)
                place = sums[0 if weight > 0 else 1].reshape(-1)
                apply(place, Change(combine="add", scale=abs(weight)), stream, dtype="float64")
        return (sums[0] - sums[1])[grid(given.part, given.shape)]


def _entries(value: Any, other: list[Any]) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else other


def _are_decays(value: Any) -> bool:
    entries = _entries(value, [])
    return len(entries) == 2 and all(isinstance(one, float) and 0 <= one < 1 for one in entries)


def _are_members(value: Any) -> bool:
    pairs = [_entries(one, []) for one in _entries(value, [None])]
    return all(
        len(pair) == 2 and type(pair[0]) is int and isinstance(pair[1], float) and math.isfinite(pair[1])
        for pair in pairs
    )
