"""Models as they are named on the command line: a checkpoint file, or what a factory makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genewright.backends import backend_of
from genewright.backends.files import read_checkpoint
from genewright.cli.arguments import UsageError
from genewright.cli.factories import brings_weights, factory, is_factory
from genewright.errors import DataError, UnsupportedError
from genewright.files import WHOLE_MODELS, load
from genewright.fingerprint import fingerprint_of

Arguments = Mapping[str, Any] | None


def open_model(text: str, weights: Path | None = None, arguments: Arguments = None, *, whole: bool = False) -> Any:
    """Return the checkpoint in a file, or the module that a factory makes, with weights where they are given.

    Args:
        text: A file, or a word for a factory (`is_factory`).
        weights: Weights for what the factory makes.
        arguments: What the factory is called with (``--model-arg``).
        whole: Layers are needed, not tensors alone: a file that holds a whole Keras model is loaded with Keras.

    Raises:
        FileError: A file cannot be read, or does not fit the module.
        UnknownNameError: There is no such module or factory.
        UnsupportedError: `weights` is given for a file, or the factory fails.
        UsageError: `arguments` are given for a file.
    """
    if is_factory(text):
        make = factory(text, arguments)
        return make() if weights is None else load(make, weights)
    if arguments:
        raise UsageError(f"--model-arg goes with package.module:factory; {text!r} is read as a file.")
    if weights is not None:
        raise UnsupportedError(
            f"--weights goes with package.module:factory; {text!r} is read as a file, and has weights of its own."
        )
    return load(text) if whole and holds_whole_model(text) else read_checkpoint(text)


def refuse_drawn(word: str, weights: Path | None, model: Any, arguments: Arguments, help_with: str) -> None:
    """Refuse what a factory makes where it draws other weights each time: nobody could make that model again.

    Args:
        word: What the model was named by.
        weights: The weights that it was given, if any.
        model: What was made of it.
        arguments: What the factory was called with.
        help_with: The options that say whose weights are meant.

    Raises:
        UsageError: A second call gives another network; the message has the options that help.
    """
    if weights is None and draws_weights(word, model, arguments):
        raise UsageError(
            f"{word} draws other weights each time, so nobody could repeat this. Say whose they are: {help_with}."
        )


def draws_weights(word: str, model: Any, arguments: Arguments) -> bool:
    """Whether a word names a factory whose second model has other weights than the first one, `model`."""
    if not is_factory(word) or brings_weights(word):
        return False
    again = factory(word, arguments)()
    first, second = (fingerprint_of(backend_of(one).network(one)) for one in (model, again))
    return first != second


def holds_whole_model(text: str) -> bool:
    """Whether a file's name says that it holds a Keras model with its architecture.

    >>> holds_whole_model("net.keras"), holds_whole_model("net.weights.h5"), holds_whole_model("net.pt")
    (True, False, False)
    """
    name = text.lower()
    return name.endswith(WHOLE_MODELS) and not name.endswith(".weights.h5")


def open_module(text: str, model: str | None, weights: Path | None, option: str, arguments: Arguments = None) -> Any:
    """Return a model that can run: a file's weights need the factory that `model` names.

    Args:
        text: A file, or package.module:factory.
        model: The factory for files (``--model``).
        weights: Weights for `text` where that is a factory.
        option: How the weights' option is called, for messages.
        arguments: What the factory is called with, whichever of the two words names it.

    Raises:
        UnsupportedError: A file was given without a factory.
        UsageError: The factory draws other weights each time.
    """
    if is_factory(text) or weights is not None:
        opened = open_model(text, weights, arguments)
        refuse_drawn(text, weights, opened, arguments, f"{option} FILE")
        return opened
    if model is None and holds_whole_model(text):
        return open_model(text, None, arguments, whole=True)
    if model is None:
        read_checkpoint(text)  # a file that cannot be read is the first thing to say
        raise DataError(
            f"{text} has tensors but no forward pass: say what they belong to with --model package.module:factory "
            f"(or give the factory in its place, with {option} {text})."
        )
    return load(factory(model, arguments), text)
