"""The opposite sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genewright.edits.map import Function, Given
from genewright.tensor import COMPLEX


@dataclass(frozen=True, kw_only=True)
class Negate(Function):
    """new = -old."""

    def __call__(self, values: Any, given: Given) -> Any:
        return -values

    def words(self) -> str:
        return "-w"

    def exact(self) -> bool:
        return True

    def takes(self, dtype: str) -> bool:
        return super().takes(dtype) or dtype in COMPLEX
