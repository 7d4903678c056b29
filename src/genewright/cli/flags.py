"""Flags in help texts: they take no value, so none is named behind them."""

from __future__ import annotations

from typing import Any, cast

from typer.core import TyperCommand, TyperGroup


def without_values(parameters: list[Any]) -> list[Any]:
    """Take the words for a value off flags, where typer would write ``<bool>``."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters


class Command(TyperCommand):
    """A subcommand."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its options and arguments, ``--help`` too."""
        return without_values(cast("list[Any]", super().get_params(ctx)))


class Group(TyperGroup):
    """A command with subcommands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its options and arguments, ``--help`` too."""
        return without_values(cast("list[Any]", super().get_params(ctx)))
