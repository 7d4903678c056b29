"""Multiplication by a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from genewright.edits.map import Function, Given
from genewright.tensor import COMPLEX


@dataclass(frozen=True, kw_only=True)
class Scale(Function):
    """new = by * old, rounded once; exact where `by` is a power of two (and nothing under- or overflows).

    Attributes:
        by: The factor.
    """

    by: float

    def __call__(self, values: Any, given: Given) -> Any:
        return values * self.by

    def words(self) -> str:
        return f"times {self.by:.6g}"

    def exact(self) -> bool:
        return abs(math.frexp(self.by)[0]) == 0.5

    def takes(self, dtype: str) -> bool:
        return super().takes(dtype) or dtype in COMPLEX
