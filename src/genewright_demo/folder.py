"""The demo's folder and its files."""

from __future__ import annotations

from pathlib import Path

import genewright as gw

_REPORT = "demo.json"


class Folder:
    """Where the demo writes.

    Attributes:
        path: The folder.
        original: The trained network.
        mutant: The best mutant, its recipe inside.
        recipe: The recipe alone.
        replayed: The mutant again, made from original and recipe by another process.
        held_out: The held-out images and labels, for ``genewright compare``.
        grid: Picture of the accuracy over strength and rate.
        weights: Picture of the weights before and after.
        grown: The network made wider and deeper, its recipe inside.
        grown_recipe: The recipe alone.
        grown_replayed: The grown network again, made from original and recipe by another process.
        growth: Picture of all networks of the part on architecture.
        evolved: The champion of a short evolution, its recipe inside.
        evolution: How that came about, as a page for a browser.
        mutants: The report of the mutants that the held-out images were to kill.
        faults: Picture of what a flipped bit does, bit by bit.
        report: Everything that was measured, as JSON.
    """

    def __init__(self, path: Path, suffix: str = ".safetensors") -> None:
        self.path = path
        self.original = path / f"original{suffix}"
        self.mutant = path / f"mutant{suffix}"
        self.recipe = path / "recipe.json"
        self.replayed = path / f"replayed{suffix}"
        self.held_out = path / "held_out.npz"
        self.grid = path / "grid.png"
        self.weights = path / "weights.png"
        self.grown = path / f"grown{suffix}"
        self.grown_recipe = path / "grown.json"
        self.grown_replayed = path / f"grown_replayed{suffix}"
        self.growth = path / "growth.png"
        self.evolved = path / f"evolved{suffix}"
        self.evolution = path / "evolution.html"
        self.mutants = path / "mutants.jsonl"
        self.faults = path / "faults.png"
        self.report = path / _REPORT

    def files(self) -> dict[str, Path]:
        """Return the files by what they are."""
        return {name: path for name, path in vars(self).items() if name != "path"}

    def write(self, path: Path, content: bytes) -> None:
        """Write one of the files that genewright does not write itself; an old one is replaced.

        Raises:
            FileError: It cannot be written.
        """
        try:
            path.write_bytes(content)
        except OSError as error:
            raise gw.FileError(f"{path}: cannot be written ({error.strerror}).") from error

    def prepare(self, *, force: bool) -> None:
        """Make the folder; the files of an earlier demo in it are replaced.

        Raises:
            FileError: It cannot be made, or holds something else and `force` is false.
        """
        if self.path.exists() and not self.path.is_dir():
            raise gw.FileError(f"{self.path}: is a file. Choose another folder: --out FOLDER.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            used = any(self.path.iterdir()) and not self.report.exists()
        except OSError as error:
            raise gw.FileError(f"{self.path}: cannot be made ({error.strerror}).") from error
        if used and not force:
            raise gw.FileError(
                f"{self.path}: holds files that are not of an earlier demo. Choose another folder (--out), or write "
                "among them (--force)."
            )
