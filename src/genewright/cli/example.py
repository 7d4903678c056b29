"""Sample inputs as they are said on the command line: a shape, a file of arrays, or package.module:function."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from numpy.typing import NDArray

from genewright.backends.files import read_checkpoint
from genewright.backends.files.checkpoint import Checkpoint, CheckpointNetwork
from genewright.cli.arguments import UsageError
from genewright.cli.data import open_data
from genewright.cli.factories import factory, is_factory
from genewright.cli.models import Arguments, open_model
from genewright.names import did_you_mean
from genewright.noise import derive, draw

Example = Annotated[
    list[str] | None,
    typer.Option(
        "--example",
        metavar="INPUT",
        help="A sample input, for operators that have to see the model run: a shape such as 1x3x224x224 or 1x7:int64, "
        "a .npy, .npz or .safetensors file, or package.module:function. May be repeated; NAME=... for keywords.",
        show_default=False,
    ),
]

_SHAPE = re.compile(r"(\d+(?:x\d+)*)(?::(\w+))?")
_NAMED = re.compile(r"([^\W\d]\w*)=(.+)", re.DOTALL)
_MOST = 1 << 28  # numbers that are drawn for a sample: 1 GiB in float32
_MOST_DIGITS = 18
_DTYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")


def open_example(words: Sequence[str] | None) -> Any:
    """Return the sample input that the words of ``--example`` describe.

    Args:
        words: One for each input of the model, in order, or as NAME=... by keyword. A shape gives numbers, always the
            same ones: drawn from a normal distribution, or for integers zeros and ones. A file gives its one array, or
            several as keyword inputs.

    Returns:
        An array; a tuple of several, a dict of named ones, or what the function returns; None for no words.

    Raises:
        UsageError: A word is none of these, or named and unnamed ones are mixed.
        FileError: A file cannot be read.
    """
    if not words:
        return None
    named = [_NAMED.fullmatch(word) for word in words]
    if all(named):
        return {match[1]: _input(match[2]) for match in named if match}
    if any(named):
        raise UsageError("--example: name all inputs (NAME=...), or none of them.")
    inputs = [_input(word) for word in words]
    return inputs[0] if len(inputs) == 1 else tuple(inputs)


def open_with_example(
    model: str, weights: Path | None, words: Sequence[str] | None, arguments: Arguments = None, *, whole: bool
) -> tuple[Any, Any]:
    """Return (model, example), read as `open_model` and `open_example` do; a file of tensors alone takes no example.

    Raises:
        UsageError: `model` cannot run.
    """
    opened = open_model(model, weights, arguments, whole=whole or bool(words))
    if words and isinstance(opened, Checkpoint):
        raise cannot_run(model)
    return opened, open_example(words)


def cannot_run(model: str) -> UsageError:
    """Return the refusal of a file that would have to run."""
    return UsageError(
        f"{model} has tensors but no layers that could run. Say what they belong to: package.module:factory in its "
        f"place, with --weights {model}."
    )


def _input(word: str) -> Any:
    shape = _SHAPE.fullmatch(word)
    if shape is not None:
        lengths = shape[1].split("x")
        if any(len(length) > _MOST_DIGITS for length in lengths) or math.prod(map(int, lengths)) > _MOST:
            raise UsageError(
                f"--example {word[:80]}: a sample of more than {_MOST:,} numbers is not drawn. Give a file of arrays, "
                "or package.module:function."
            )
        return _drawn(word, tuple(map(int, lengths)), shape[2] or "float32")
    if is_factory(word):
        return factory(word)()
    path = Path(word)
    if path.suffix.lower() == ".safetensors":
        network = CheckpointNetwork(read_checkpoint(path))
        arrays = {name: network.read(name) for name in network.tensors}
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays
    if path.suffix.lower() in (".npy", ".npz"):
        data: Any = open_data(path)
        return cast("tuple[Any, Any]", data)[0] if isinstance(data, tuple) else data  # targets are no input
    raise UsageError(
        f"--example {word}: write a shape such as 1x3x224x224 or 1x7:int64, a .npy, .npz or .safetensors file, or "
        "package.module:function."
    )


def _drawn(word: str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    if dtype not in _DTYPES:
        raise UsageError(f"--example {word}: {dtype!r} is no dtype of an input. {did_you_mean(dtype, _DTYPES)}")
    if not all(shape):
        raise UsageError(f"--example {word}: a length of zero holds no sample.")
    numbers = draw(derive(0, name="example", path=""), "normal", range(math.prod(shape))).reshape(shape)
    return numbers.astype(dtype) if dtype.startswith("float") else (numbers > 0).astype(dtype)
