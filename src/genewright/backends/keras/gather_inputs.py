"""An example whose tensors have other lengths: what a Keras model takes whose inputs have grown or shrunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.library import array_of, keras

Moves = Mapping[int, Sequence[tuple[int, NDArray[np.int64]]]]


def gather_inputs(model: Any, example: Any, moves: Moves) -> Any:
    """Return the example with some of its arrays gathered along axes; zero where an index is -1.

    Args:
        model: A Functional or Sequential model; its inputs, in order, are what `moves` numbers.
        example: An array, a list of them, or a dict by the inputs' names or keys; it stays as it is.
        moves: What moves.
    """
    if isinstance(example, Mapping):
        given = cast("Mapping[str, Any]", example)
        names = [tensor._keras_history.operation.name for tensor in model.inputs]
        if not set(given) <= set(names):
            names = sorted(given)  # the order in which Keras lists the entries of a dict
        return {key: _moved(value, moves.get(names.index(key), ())) for key, value in given.items()}
    if isinstance(example, tuple | list):
        return [_moved(value, moves.get(at, ())) for at, value in enumerate(cast("Sequence[Any]", example))]
    return _moved(example, moves.get(0, ()))


def _moved(given: Any, axes: Sequence[tuple[int, NDArray[np.int64]]]) -> Any:
    if not axes:
        return given
    values: NDArray[Any] = array_of(given) if keras.ops.is_tensor(given) else np.asarray(given)
    for axis, index in axes:
        values = np.take(values, np.maximum(index, 0), axis)
        values[(slice(None),) * axis + (index < 0,)] = 0
    return values
