"""Donors as they are said on the command line: NAME=FILE, for operators that take weights from another network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from genewright.cli.arguments import UsageError
from genewright.cli.models import open_model, refuse_drawn

Donors = Annotated[
    list[str] | None,
    typer.Option(
        "--donors",
        metavar="NAME=MODEL",
        help="A network that weights come from, by the name that the operator gives it: mate=other.safetensors. May be "
        "repeated.",
        show_default=False,
    ),
]
Parents = Annotated[
    list[str] | None,
    typer.Option(
        "--donors",
        metavar="MODEL",
        help="A network that weights came from; the recipe knows it by its fingerprint. May be repeated.",
        show_default=False,
    ),
]


def open_donors(words: Sequence[str] | None) -> dict[str, Any]:
    """Return the networks that the words of ``--donors`` name: NAME=FILE or NAME=package.module:factory.

    Raises:
        UsageError: A word has no name, or two have the same.
        FileError: A file cannot be read.
    """
    opened: dict[str, Any] = {}
    for word in words or ():
        name, equals, model = word.partition("=")
        if not (equals and name and model):
            raise UsageError(f"--donors {word}: write the donor's name and its model, as in --donors mate=other.pt.")
        if name in opened:
            raise UsageError(f"--donors {word}: another donor is called {name!r} already.")
        opened[name] = open_model(model)
        refuse_drawn(model, None, opened[name], None, "--donors NAME=FILE")
    return opened
