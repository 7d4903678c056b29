"""Noise that is subtracted: the mirror image of a perturbation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from genewright.edits.map import Function, Given
from genewright.noise import Change, apply
from genewright.part import Part, grid


@dataclass(frozen=True, kw_only=True)
class SubtractNoise(Function):
    """new = old - scale * z, with the normal z that `Perturb` adds from the same stream, rounded as it rounds.

    Attributes:
        scale: The noise's strength, at least 0.
        rate: The probability that an element has noise.
    """

    scale: float
    rate: float = 1.0

    def __call__(self, values: Any, given: Given) -> Any:
        assert given.stream is not None
        dtype = "float64" if given.dtype == "float64" else "float32"
        noise = np.zeros(given.shape, dtype)  # all of it: an element's noise is the same in every part that holds it
        apply(noise.reshape(-1), Change(combine="add", scale=self.scale, rate=self.rate), given.stream, dtype=dtype)
        mine = noise[grid(given.part, given.shape)]
        return values - (values.new_tensor(mine) if hasattr(values, "new_tensor") else mine)

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if not (self.scale >= 0 and math.isfinite(self.scale)):
            return f"a strength is finite and at least 0, and {self.scale} is not"
        return "" if 0 <= self.rate <= 1 else f"a rate is from 0 to 1, and {self.rate} is not"

    def words(self) -> str:
        return f"w - {self.scale:.6g} * normal" + (f", rate {self.rate:g}" if self.rate < 1 else "")
