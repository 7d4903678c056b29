"""A Keras model is run and then holds what it held: states of recurrent layers, counters, seed generators."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from genewright.backends.keras.library import array_of, keras
from genewright.backends.keras.members import is_of_keras, layers_of
from genewright.instance_state import InstanceState

_FRAMEWORKS = ("keras", "tensorflow", "jax", "jaxlib", "torch")


@contextmanager
def kept_state(model: Any) -> Generator[None]:
    """Inside the block the model may run; afterwards it holds what it held before it.

    That is: the variables that a layer holds not to be trained, the states of seed generators, and in layers of
    classes that are not Keras's own the attributes, and what containers and objects in them hold.

    Args:
        model: A built model.
    """
    layers = [model, *layers_of(model).values()]
    state = InstanceState(_special).keep(layer for layer in layers if not is_of_keras(layer))
    for layer in layers:
        generated = [generator.state for generator in layer._seed_generators]
        for variable in (*layer._non_trainable_variables, *generated, *recurrent_states(layer)):
            _keep_variable(state, variable)
    try:
        yield
    finally:
        state.put_back()


def recurrent_states(layer: Any) -> list[Any]:
    """Return the variables in which a stateful recurrent layer keeps its state: it counts them to none of its own."""
    held: list[Any] = keras.tree.flatten(getattr(layer, "states", None)) if getattr(layer, "stateful", False) else []
    return [one for one in held if isinstance(one, keras.Variable)]


def _keep_variable(state: InstanceState, variable: Any) -> None:
    values = np.array(array_of(variable))

    def restore() -> None:
        if not np.array_equal(array_of(variable), values, equal_nan=values.dtype.kind == "f"):
            variable.assign(values)

    state.restores.append(restore)


def _special(state: InstanceState, value: Any) -> bool:
    """Leave the objects of frameworks alone: they keep accounts of their own, and layers are looked at one by one."""
    inside = getattr(value, "__wrapped__", value)
    if inside is not value:  # what TensorFlow wraps a dict in
        state.look_at(inside)
        return True
    if isinstance(value, keras.Variable) and not value.trainable:  # one that its layer does not know of
        _keep_variable(state, value)
    if isinstance(value, dict | list | set | tuple):
        return False
    return hasattr(value, "__array__") or type(value).__module__.partition(".")[0] in _FRAMEWORKS or _is_layer(value)


def _is_layer(value: Any) -> bool:
    return isinstance(value, keras.layers.Layer)
