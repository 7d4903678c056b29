"""genewright demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genewright.cli.operator_group import read_seed
from genewright.cli.options import Json
from genewright.cli.output import Output

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
    from genewright.demo import run  # the demo needs torch, scikit-learn and matplotlib; no other command does

    result = run(out, seed=read_seed(seed), framework=framework, epochs=epochs, force=force, tell=output)
    output.document(result.to_json())
