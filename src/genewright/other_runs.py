"""Runs beyond the example: other batches, lengths and image sizes, and training; a mutant has to run there as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class OtherRun:
    """A run of the original model on something else than the example, of which only shapes are known.

    Attributes:
        words: What is other in it, as "with a batch of 3".
        given: What the model is run on, in the framework's own form.
        outputs: The shapes of what the original returns.
        training: It is in training mode.
    """

    words: str
    given: Any
    outputs: Shapes
    training: bool = False
