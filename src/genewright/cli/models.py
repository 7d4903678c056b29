"""Models as they are named on the command line: a checkpoint file, or package.module:factory."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, cast

from genewright.backends.files import read_checkpoint
from genewright.errors import DataError, GenewrightError, UnknownNameError, UnsupportedError
from genewright.files import WHOLE_MODELS, load
from genewright.names import did_you_mean

_FACTORY = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


def is_factory(text: str) -> bool:
    """Whether a command-line word names a factory, not a file.

    >>> is_factory("my.models:Net"), is_factory("net.pt"), is_factory("C:/net.pt")
    (True, False, False)
    """
    return bool(_FACTORY.fullmatch(text)) and not _is_there(text)


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # no name that the system takes
        return False


def open_model(text: str, weights: Path | None = None, *, whole: bool = False) -> Any:
    """Return the checkpoint in a file, or the module that a factory makes, with weights where they are given.

    Args:
        text: A file, or package.module:factory.
        weights: Weights for what the factory makes.
        whole: Layers are needed, not tensors alone: a file that holds a whole Keras model is loaded with Keras.

    Raises:
        FileError: A file cannot be read, or does not fit the module.
        UnknownNameError: There is no such module or factory.
        UnsupportedError: `weights` is given for a file, or the factory fails.
    """
    if is_factory(text):
        make = factory(text)
        return make() if weights is None else load(make, weights)
    if weights is not None:
        raise UnsupportedError(
            f"--weights goes with package.module:factory; {text!r} is read as a file, and has weights of its own."
        )
    return load(text) if whole and holds_whole_model(text) else read_checkpoint(text)


def holds_whole_model(text: str) -> bool:
    """Whether a file's name says that it holds a Keras model with its architecture.

    >>> holds_whole_model("net.keras"), holds_whole_model("net.weights.h5"), holds_whole_model("net.pt")
    (True, False, False)
    """
    name = text.lower()
    return name.endswith(WHOLE_MODELS) and not name.endswith(".weights.h5")


def open_module(text: str, model: str | None, weights: Path | None, option: str) -> Any:
    """Return a model that can run: a file's weights need the factory that `model` names.

    Args:
        text: A file, or package.module:factory.
        model: The factory for files (``--model``).
        weights: Weights for `text` where that is a factory.
        option: How the weights' option is called, for messages.

    Raises:
        UnsupportedError: A file was given without a factory.
    """
    if is_factory(text) or weights is not None:
        return open_model(text, weights)
    if model is None and holds_whole_model(text):
        return load(text)
    if model is None:
        read_checkpoint(text)  # a file that cannot be read is the first thing to say
        raise DataError(
            f"{text} has tensors but no forward pass: say what they belong to with --model package.module:factory "
            f"(or give the factory in its place, with {option} {text})."
        )
    return load(factory(model), text)


def factory(text: str) -> Callable[[], Any]:
    """Return what makes a model: package.module:factory, whose own errors are said in ours.

    Raises:
        UnknownNameError: There is no such module or factory.
        UnsupportedError: Importing or calling it fails; the message has the first line of its error.
    """
    made = imported(text)

    def call() -> Any:
        try:
            return made()
        except GenewrightError:
            raise
        except Exception as error:  # whatever the user's factory raises
            raise UnsupportedError(f"{text}: calling it without arguments fails: {_first_line(error)}.") from error

    return call


def imported(text: str) -> Callable[..., Any]:
    """Import a function or class, package.module:name, from the current folder too, as ``python -m`` does.

    Raises:
        UnknownNameError: There is no such module or name.
        UnsupportedError: Importing it fails, or it cannot be called.
    """
    if not _FACTORY.fullmatch(text):
        raise UnknownNameError(f"{text!r} is not of the form package.module:factory.")
    module_name, _, path = text.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownNameError(
                f"{text}: no module is called {error.name!r}, neither installed nor in {Path.cwd()}."
            ) from error
        raise UnsupportedError(f"{text}: importing {module_name} fails: {error}.") from error
    except GenewrightError:
        raise
    except Exception as error:  # whatever the user's module raises
        raise UnsupportedError(f"{text}: importing {module_name} fails: {_first_line(error)}.") from error
    try:
        made: Any = reduce(getattr, path.split("."), cast(Any, module))
    except AttributeError:
        near = did_you_mean(path, [name for name in vars(module) if not name.startswith("_")])
        raise UnknownNameError(f"{text}: {module_name} has no {path!r}. {near}") from None
    if not callable(made):
        raise UnsupportedError(f"{text}: is a {type(made).__name__}, not a class or function to be called.")
    return made


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}".rstrip(": .")
