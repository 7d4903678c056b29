"""The setting `where` as command-line options: --where, --roles, --layers, --units and --frozen."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, Any, cast

import typer

from genewright.cli.arguments import UsageError
from genewright.where import Where, where


def where_parameters() -> list[inspect.Parameter]:
    """Return the options, as the parameters of a typer command."""
    many = list[str] | None
    return [
        keyword(
            "where",
            Annotated[
                many,
                typer.Option(
                    "--where",
                    metavar="PATTERN",
                    help="A pattern on tensor or layer names (* is any text, ? any one character); '!...' excludes. "
                    "May be repeated. Default: all trainable.",
                    show_default=False,
                ),
            ],
            None,
        ),
        keyword(
            "roles",
            Annotated[
                many,
                typer.Option(
                    "--roles",
                    metavar="ROLE",
                    help="Only tensors of these roles: kernel, bias, embedding, norm_weight, ... May be repeated.",
                    show_default=False,
                ),
            ],
            None,
        ),
        keyword(
            "layers",
            Annotated[
                many,
                typer.Option(
                    "--layers",
                    metavar="TYPE",
                    help="Only layers of these types (Conv2d) or names (patterns). May be repeated.",
                    show_default=False,
                ),
            ],
            None,
        ),
        keyword(
            "units",
            Annotated[
                str | None,
                typer.Option(
                    "--units",
                    metavar="JSON",
                    help="Only these units: positions [0, 2], a mask, or {layer: positions}.",
                    show_default=False,
                ),
            ],
            None,
        ),
        keyword(
            "frozen",
            Annotated[
                bool,
                typer.Option("--frozen", help="Also frozen parameters, running statistics and buffers."),
            ],
            False,
        ),
    ]


def where_from_options(given: Mapping[str, Any]) -> Where:
    """Make the selection from the options that were typed.

    Raises:
        UsageError: --units cannot be read.
    """
    units = given["units"]
    if units is not None:
        try:
            units = json.loads(units)
        except ValueError as error:
            raise UsageError(f"--units: this is not JSON ({error}). Write --units '[0, 2]', or a mask.") from error
        if not isinstance(units, list | dict):
            raise UsageError(f"--units: expected positions or a mask, or an object of such; received {units!r}.")
    return where(
        *(given["where"] or ()),
        roles=_between_commas(given["roles"]),
        layers=_between_commas(given["layers"]),
        units=cast(Any, units),
        frozen=bool(given["frozen"]),
    )


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """Return one option, as a parameter of a typer command."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _between_commas(values: list[str] | None) -> tuple[str, ...]:
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())
