"""Tie: two tensors become one."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.edits.layers import LayerEdit


@dataclass(frozen=True, kw_only=True)
class Tie(LayerEdit):
    """Let one tensor be another from now on: one memory, one gradient.

    Attributes:
        tensor: The tensor that gives way.
        to: The tensor that stays, of the same shape and dtype.
    """

    tensor: str
    to: str

    def subject(self) -> str:
        return self.tensor

    def words(self) -> str:
        return f"becomes one with {self.to}"
