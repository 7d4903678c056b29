"""Refusing a command that is not well said: exit code 2."""

from __future__ import annotations

import shlex

import typer

from genewright.errors import GenewrightError


class UsageError(GenewrightError, ValueError):
    """The words of the command are wrong; nothing has been read or written yet."""


def missing_option(context: typer.Context, option: str, why: str, value: str) -> UsageError:
    """Return the refusal that shows the command as it should have been written.

    Args:
        context: Of the subcommand; the words typed are kept at its root.
        option: What is missing, such as ``"--seed"``.
        why: Why it is needed.
        value: An example of its value.
    """
    typed: list[str] = context.find_root().obj or []
    fixed = shlex.join(["genewright", *typed, option, value])
    return UsageError(f"{context.command_path} needs {option}: {why}. Write: {fixed}")
