"""Bits that are what a defect makes them, whatever was stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.edits.map import Function, Given
from genewright.index import Index
from genewright.noise import Change, apply, apply_at
from genewright.noise.engine import STORED
from genewright.part import Part, grid
from genewright.tensor import COMPLEX

_NONE = Index()
_WORDS = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}  # bytes of a number -> unsigned integers of as many


@dataclass(frozen=True, kw_only=True)
class ForceBits(Function):
    """new = old OR 2^k, or old AND NOT 2^k, where a flip of the same stream and strength would flip the bit k.

    So with one stream, what is forced to 1 and what is forced to 0 are together what is flipped.

    Attributes:
        flips: Which elements are hit, and in which of which bits: a change that combines by "xor".
        value: What the bit becomes, 0 or 1.
        elements: Exactly the elements that are hit, by their places in the whole tensor in row-major order (a complex
            element has two), in place of a part and of the rate of `flips`; empty where these say it.
    """

    stored: ClassVar[bool] = True

    flips: Change
    value: int
    elements: Index = _NONE

    def __call__(self, values: Any, given: Given) -> Any:
        mask = self._mask(given)
        if hasattr(values, "new_tensor"):  # on a device
            return self._on_device(values, mask)
        old = np.ascontiguousarray(values).reshape(-1).view(mask.dtype)
        new = old | mask if self.value else old & ~mask
        return new.view(values.dtype).reshape(values.shape)

    def _mask(self, given: Given) -> NDArray[Any]:
        """Return the bits that are hit, for each number of the part: drawn as a flip of zeros."""
        assert given.stream is not None
        parts = COMPLEX.get(given.dtype)
        dtype, shape = (given.dtype, given.shape) if parts is None else (parts, (*given.shape, 2))
        zeros = np.zeros(math.prod(shape), STORED[dtype])
        if self.elements.size:
            apply_at(zeros, self.elements.array, self.flips, given.stream, dtype=dtype)
        else:
            apply(zeros, self.flips, given.stream, dtype=dtype)
        drawn = zeros.view(_WORDS[zeros.itemsize]).reshape(shape)
        return drawn[grid(given.part, given.shape)].reshape(-1)

    def _on_device(self, values: Any, mask: NDArray[Any]) -> Any:
        if values.is_complex():  # the same numbers, two by two
            parts = values.view(values.real.dtype)
            return self._on_device(parts, mask).view(values.dtype).reshape(values.shape)
        none = values.new_zeros(0)
        signed = {2: none.short, 4: none.int, 8: none.long}[mask.itemsize]().dtype
        old = values.reshape(-1).view(signed)
        bits = none.to(signed).new_tensor(mask.view(f"i{mask.itemsize}"))
        new = old | bits if self.value else old & ~bits
        return new.view(values.dtype).reshape(values.shape)

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        if self.flips.combine != "xor":
            return f"bits are hit by combine='xor', not by {self.flips.combine!r}"
        if self.value not in (0, 1):
            return f"a bit is 0 or 1, not {self.value!r}"
        return ""

    def places(self) -> Index:
        return self.elements

    def exact(self) -> bool:
        return True

    def takes(self, dtype: str) -> bool:
        stored = STORED.get(COMPLEX.get(dtype, dtype))
        return stored is not None and max(self.flips.bits) < 8 * np.dtype(stored).itemsize

    def expected(self, size: int) -> float:
        """Return how many are hit; those whose bit was so already stay."""
        return self.elements.size or size * self.flips.rate

    def words(self) -> str:
        at = ",".join(map(str, self.flips.bits))
        share = f", {self.elements.size} elements" if self.elements.size else ""
        share = f", rate {self.flips.rate:g}" if self.flips.rate < 1 else share
        return f"one of bits {at} stuck at {self.value}{share}"
