"""Companion: what belongs to a model and moves with it, such as an optimizer's state or the model's own config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.declaration import Declaration
from genewright.journal import Journal
from genewright.part import Part


class Companion:
    """What moves along while a model is mutated; this one is nothing.

    Attributes:
        twins: Models with the same tensors, such as an average, that get the same edits where layers or shapes change.
    """

    twins: tuple[Any, ...] = ()

    def state_resets(self, names: Sequence[str]) -> list[str]:
        """Say what of the state of tensors that change their shapes cannot move."""
        return []

    def gathered(self, name: str, parameter: Any, axis: int, index: NDArray[np.int64], journal: Journal) -> None:
        """Move what belongs to a tensor as its entries have moved: new[i] = old[index[i]], and zero for -1."""

    def forgotten(self, name: str, parameter: Any, part: Part, journal: Journal) -> None:
        """Let what belongs to a part of a tensor start again: first moments at zero, second ones at a mean."""

    def declared(self, model: Any, example: Any) -> Declaration:
        """Return what lets a model that describes itself in a config say what it has become."""
        return Declaration()

    def changing(self, model: Any) -> None:
        """Look at a model whose layers or shapes are about to change in place, where no optimizer was handed over."""

    def finish(self, journal: Journal) -> None:
        """Take in new tensors and let go of those that are gone, after the last edit."""
