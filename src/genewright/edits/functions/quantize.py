"""Rounding to the levels of a small integer type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from genewright.edits.map import Function, Given
from genewright.elements import decoded, encoded
from genewright.part import Part


@dataclass(frozen=True, kw_only=True)
class Quantize(Function):
    """w' = s * round(w / s), ties to even, with s = m / Q, Q = 2^(bits - 1) - 1 and m the largest finite |w|.

    Computed in float64 and rounded once. A level that the dtype cannot tell from its neighbours leaves the weight as it
    is, so that a second time changes nothing; NaN and infinity stay.

    Attributes:
        bits: Width of the integer type.
        axis: The axis along which each position has an m of its own; -1 for one m in all.
    """

    bits: int
    axis: int = -1

    def __call__(self, values: Any, given: Given) -> Any:
        if hasattr(values, "new_tensor"):  # on a device: brought to main memory, for frexp and ldexp to the bit
            return values.new_tensor(self(values.cpu().numpy(), given))
        top = 2 ** (self.bits - 1) - 1
        numbers = values.astype(np.float64)
        finite = np.isfinite(numbers)
        axes = tuple(a for a in range(values.ndim) if a != self.axis)
        largest = np.max(np.abs(numbers), axis=axes, keepdims=True, initial=0.0, where=finite)
        # Everything is scaled by a power of two, so that w * Q neither overflows nor underflows.
        unit, exponent = np.frexp(largest)
        with np.errstate(all="ignore"):
            levels = np.rint(np.ldexp(numbers, -exponent) * top / unit)
            # The ends are m itself: m * Q / Q can differ from it in the last bit.
            inner = np.ldexp(levels * unit / top, exponent)
            wanted = cast(Any, np.where(np.abs(levels) >= top, np.copysign(largest, numbers), inner))
            new = decoded(encoded(wanted, given.dtype), given.dtype)
            again = np.rint(np.ldexp(new.astype(np.float64), -exponent) * top / unit)
        return np.where(finite & (largest > 0) & (again == levels), new, values)

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if not 2 <= self.bits <= 16:
            return f"{self.bits} bits are not from 2 to 16"
        return "" if -1 <= self.axis < max(len(shape), 1) else f"there is no axis {self.axis}"

    def words(self) -> str:
        return f"rounded to {self.bits} bits a {'tensor' if self.axis < 0 else 'unit'}"
