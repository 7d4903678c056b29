"""What the demo found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genewright.demo.grid import Cell
from genewright.demo.grow import Stage


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run of the demo measured and wrote.

    Attributes:
        accuracy: Held-out accuracy of the trained network.
        held_out: Number of held-out images.
        cells: Every mutant of the grid.
        best: The mutant that was saved.
        original: Fingerprint of the trained network.
        mutant: Fingerprint of the saved mutant.
        replayed: Fingerprint that a fresh process reached from the recipe.
        undone: Fingerprint of the network after mutating it in place and undoing that.
        stages: The networks of the part on architecture.
        grown: Fingerprint of the network made wider and deeper.
        regrown: Fingerprint that a fresh process reached from its recipe.
        files: The files by what they are.
        commands: The next commands to try.
    """

    accuracy: float
    held_out: int
    cells: tuple[Cell, ...]
    best: Cell
    original: str
    mutant: str
    replayed: str
    undone: str
    stages: tuple[Stage, ...]
    grown: str
    regrown: str
    files: dict[str, str]
    commands: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON holds it."""
        return {
            **vars(self),
            "cells": [cell.to_json() for cell in self.cells],
            "best": self.best.to_json(),
            "stages": [stage.to_json() for stage in self.stages],
            "commands": list(self.commands),
        }
