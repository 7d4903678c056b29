"""Noise whose strength differs from element to element."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.noise import Change, apply
from genewright.part import Part, grid

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class DividedNoise(Function):
    """new = old + scale * z / divisor for a share of the elements, with the normal z that `Perturb` adds.

    Attributes:
        scale: The noise's strength, at least 0.
        divisor: A number above 0 for each element of the part, in row-major order.
        rate: The share of the elements that change, in [0, 1].
    """

    scale: float
    divisor: Numbers
    rate: float = 1.0

    def __call__(self, values: Any, given: Given) -> Any:
        assert given.stream is not None
        dtype = "float64" if given.dtype == "float64" else "float32"
        noise = np.zeros(given.shape, dtype)  # all of it: an element's noise is the same in every part that holds it
        change = Change(combine="add", scale=self.scale, rate=self.rate)
        apply(noise.reshape(-1), change, given.stream, dtype=dtype)
        mine = (noise[grid(given.part, given.shape)].reshape(-1) / self.divisor).astype(dtype).reshape(values.shape)
        return values + (values.new_tensor(mine) if hasattr(values, "new_tensor") else mine)

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if not (self.scale >= 0 and math.isfinite(self.scale)):
            return f"a strength is finite and at least 0, and {self.scale} is not"
        if not 0 <= self.rate <= 1:
            return f"a share lies in [0, 1], and {self.rate} does not"
        if self.divisor.size != math.prod(shape):
            return f"it has {self.divisor.size} divisors for {math.prod(shape)} elements"
        return "" if (self.divisor > 0).all() and np.isfinite(self.divisor).all() else "a divisor is not above 0"

    def words(self) -> str:
        share = f", rate {self.rate:g}" if self.rate < 1 else ""
        return f"w + {self.scale:.6g} * normal / sensitivity{share}"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DividedNoise)
            and (self.scale, self.rate) == (other.scale, other.rate)
            and np.array_equal(self.divisor, other.divisor, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash((self.scale, self.rate, self.divisor.tobytes()))
