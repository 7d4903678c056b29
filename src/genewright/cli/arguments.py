"""What the subcommands share: common options, examples in help texts, and the refusal of wrong arguments."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.backends.files import SUFFIXES
from genewright.backends.files.folder import refuse_folder
from genewright.errors import GenewrightError
from genewright.folders import is_folder
from genewright.storage import refuse_existing

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A .safetensors, .pt, .pth, .bin, .ckpt, .keras or .h5 file, or what makes a module: "
        "package.module:factory, file.py:factory, hf:FOLDER, timm:NAME, torchvision:NAME.",
        show_default=False,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="Weights to load into package.module:factory.", show_default=False),
]
ModelArgs = Annotated[
    list[str] | None,
    typer.Option(
        "--model-arg",
        metavar="NAME=VALUE",
        help="An argument of the factory, such as num_classes=10; may be repeated. A value is JSON, or else text.",
        show_default=False,
    ),
]
DATA = ".npz with an array X, and y for the targets (other names: keyword inputs); or .npy with X alone."
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Samples a batch.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, for machines.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FILE", help="The file to write, of a kind as above.", show_default=False),
]

CHECKPOINTS = SUFFIXES


class UsageError(GenewrightError, ValueError):
    """The arguments of the command are wrong; nothing has been read or written yet."""


def model_arguments(words: Sequence[str] | None) -> dict[str, Any]:
    """Return the keyword arguments that the words of ``--model-arg`` say.

    >>> model_arguments(["num_classes=10", "act=gelu", "stages=[2, 2]", "bias=false"])
    {'num_classes': 10, 'act': 'gelu', 'stages': [2, 2], 'bias': False}

    Raises:
        UsageError: A word is not NAME=VALUE, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for word in words or ():
        name, equals, text = word.partition("=")
        if not (equals and name.isidentifier()) or name in found:
            why = "the name comes twice" if name in found else "write NAME=VALUE, as in --model-arg num_classes=10"
            raise UsageError(f"--model-arg {word}: {why}.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


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


def refuse_output(path: Path, *, force: bool, kinds: tuple[str, ...] = CHECKPOINTS, folder: bool = False) -> None:
    """Refuse a path that exists (without --force), that has no folder, or whose suffix names no known kind.

    Args:
        path: What is to be written.
        force: It may be there already.
        kinds: What its name may end in.
        folder: It may be a folder, too, with no suffix.

    Raises:
        UsageError: The suffix is of another kind.
        FileError: The path exists or has no folder.
    """
    if folder and is_folder(path):
        refuse_folder(path, overwrite=force)
        return
    if not path.name.lower().endswith(kinds):
        raise UsageError(f"{path}: the name must end in {' or '.join(kinds)}, so that it says what is in it.")
    refuse_existing(path, overwrite="force" if force else False)


def example(*commands: str) -> str:
    """Return the end of a help text: commands that can be pasted, in Markdown.

    >>> example("genewright operators").splitlines()
    ['Example:', '', '`genewright operators`']
    """
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\n\n".join([title, *(f"`{command}`" for command in commands)])
