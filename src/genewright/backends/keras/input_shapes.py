"""The lengths of a Keras model's inputs as attributes of the model: "inputs.0.3" is axis 3 of the first input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from genewright.errors import UnsupportedError

INPUTS = "inputs"
Lengths = dict[int, dict[int, int]]
"""For an input, by its number, the new length of some axes."""

_PATH = re.compile(rf"{INPUTS}\.(0|[1-9]\d{{0,3}})\.([1-9]\d?)")


def input_path(number: int, axis: int) -> str:
    """Return the attribute of the model that stands for the length of an axis of an input."""
    return f"{INPUTS}.{number}.{axis}"


def with_length(config: Mapping[str, Any], path: str, value: Any, model: Any) -> dict[str, Any]:
    """Return the changes of a model's inputs with one more.

    Args:
        config: The changes so far.
        path: What `input_path` gave.
        value: The new length.
        model: The model.

    Raises:
        UnsupportedError: It is no length of an input of the model, or one that the model leaves open.
    """
    found = _PATH.fullmatch(path)
    number, axis = (int(part) for part in found.groups()) if found else (-1, -1)
    inputs: Any = getattr(model, "inputs", None) or ()
    shape = inputs[number].shape if 0 <= number < len(inputs) else ()
    if axis >= len(shape) or axis < 1 or shape[axis] is None or type(value) is not int or value < 1:
        raise UnsupportedError(
            f"The model has no length {path!r} that can be {value!r}. Only lengths of inputs of Functional and "
            "Sequential models are set."
        )
    lengths: Lengths = dict(config.get(INPUTS, {}))
    lengths[number] = {**lengths.get(number, {}), axis: value}
    return {**config, INPUTS: lengths}
