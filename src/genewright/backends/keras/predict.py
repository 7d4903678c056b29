"""The outputs of a Keras model for a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.kept_state import kept_state
from genewright.backends.keras.library import array_of, keras


def predict(model: Any, batch: Any) -> list[NDArray[Any]]:
    """Return the output tensors for one batch, with ``training=False``; the model's states are as before afterwards.

    Args:
        model: A built Keras model.
        batch: An array or tensor; for several inputs a tuple or list of them, or a dict by the inputs' names.

    Returns:
        The outputs in Keras's own order (of a dict: by sorted key); half types as float32.
    """
    with kept_state(model):
        outputs = model(inputs_of(batch), training=False)
        return [np.array(_numbers(output)) for output in _leaves(outputs) if output is not None]


def _leaves(outputs: Any) -> Iterator[Any]:
    """Yield what containers hold in Keras's own order, and dataclasses in that of their fields."""
    for leaf in keras.tree.flatten(outputs):
        if dataclasses.is_dataclass(leaf) and not isinstance(leaf, type):
            yield from _leaves([getattr(leaf, field.name, None) for field in dataclasses.fields(leaf)])
        else:
            yield leaf


def inputs_of(batch: Any) -> Any:
    """Copy arrays, so that nothing can change the caller's."""
    if isinstance(batch, Mapping):
        return {str(key): inputs_of(value) for key, value in cast(Mapping[Any, Any], batch).items()}
    if isinstance(batch, tuple | list):
        return list(_each(cast(Sequence[Any], batch)))
    return np.array(cast(Any, batch)) if isinstance(batch, np.ndarray) else batch


def _each(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        yield inputs_of(value)


def _numbers(output: Any) -> NDArray[Any]:
    array = array_of(output)
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float16") else array
