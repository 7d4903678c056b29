"""genewright demo."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Json
from genewright.cli.operator_group import read_seed
from genewright.cli.output import Output
from genewright.errors import UnsupportedError

Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the files go.")]
SeedOption = Annotated[str, typer.Option("--seed", help="Seed of the split, the training and the mutations.")]
FrameworkOption = Annotated[str, typer.Option("--framework", help="torch, or keras on the backend of KERAS_BACKEND.")]
Epochs = Annotated[int, typer.Option("--epochs", help="How long it trains.")]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files too.")]


def demo(
    *,
    out: Folder = Path("genewright-demo"),
    seed: SeedOption = "246",
    framework: FrameworkOption = "torch",
    epochs: Epochs = 30,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train a classifier of real handwritten digits, mutate it over a grid, draw, save, replay and undo."""
    output = Output(as_json=as_json)
    result = _package().run(out, seed=read_seed(seed), framework=framework, epochs=epochs, force=force, console=output)
    output.document(result.to_json())


def _package() -> Any:
    """Import the demo's own package: it needs torch, scikit-learn and matplotlib, as no other command does.

    Raises:
        UnsupportedError: It is not installed.
    """
    try:
        return importlib.import_module("genewright_demo")
    except ModuleNotFoundError as error:
        if error.name != "genewright_demo":
            raise
        raise UnsupportedError(
            "genewright demo needs the package genewright_demo, which genewright's wheel holds and which is not "
            "installed here: pip install --force-reinstall 'genewright[demo]'"
        ) from error
