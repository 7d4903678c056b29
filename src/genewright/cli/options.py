"""The options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A .safetensors, .pt, .pth, .keras or .h5 file, or a module as package.module:factory.",
        show_default=False,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="Weights to load into package.module:factory.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, for machines.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Out = Annotated[
    Path,
    typer.Option("--out", metavar="FILE", help="The file to write, of a kind as above.", show_default=False),
]
