"""What help texts name behind an option: nothing behind a flag, and a number is ``<int>``, whatever its range."""

from __future__ import annotations

from typing import Any, cast

from typer.core import TyperCommand, TyperGroup


def with_plain_values(parameters: list[Any]) -> list[Any]:
    """Name values as people do, where typer would write ``<bool>`` or ``<int range>``."""
    for parameter in parameters:
        if parameter.metavar is not None:
            continue
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif (low := getattr(parameter, "min", None)) is not None:
            parameter.metavar = f"<{type(low).__name__}>"
    return parameters


class Command(TyperCommand):
    """A subcommand."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its options and arguments, ``--help`` too."""
        return with_plain_values(cast("list[Any]", super().get_params(ctx)))


class Group(TyperGroup):
    """A command with subcommands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its options and arguments, ``--help`` too."""
        return with_plain_values(cast("list[Any]", super().get_params(ctx)))
