"""Rewire: a gated path beside what is there."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.edits.layers import LayerEdit
from genewright.spec import Spec, in_words


@dataclass(frozen=True, kw_only=True)
class Rewire(LayerEdit):
    """Add to the output of `end` a gated path from the input of `start`: y + gate * path(x).

    Attributes:
        start: The layer whose input the path takes.
        end: The layer to whose output it is added; the same one for a branch beside it.
        path: What the path computes.
        gate: The gate at first; it is a trainable tensor.
    """

    start: str
    end: str
    path: Spec = "identity"
    gate: float = 0.0

    def subject(self) -> str:
        return self.end

    def words(self) -> str:
        return f"plus {self.gate:g} * {in_words(self.path)} of the input of {self.start}"
