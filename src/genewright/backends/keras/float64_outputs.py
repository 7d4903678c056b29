"""The outputs of a Keras model as exactly as it can compute them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.backend import Outputs
from genewright.backends.keras.cloning import copy_extra_state, preserve_python_random
from genewright.backends.keras.double_precision import double_precision
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.library import array_of, keras
from genewright.backends.keras.members import is_graph, members_of
from genewright.backends.keras.predict import predict
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.subclassed import remade


def exact_outputs(model: Any, example: Any) -> Outputs:
    """Return the outputs for an example, in float64 where the model can be made again in it; `model` is as it was."""
    if is_graph(model) or isinstance(model, keras.Model):
        with double_precision() as possible:
            try:
                outputs = predict(in_float64(model), doubled(example)) if possible else None
            except Exception:  # a layer, a class or a device without float64: then as it is
                outputs = None
        if outputs is not None and all(output.dtype != np.float32 for output in outputs):
            return Outputs(outputs, exact=True)
    return Outputs(predict(model, example), exact=False)


def doubled(example: Any) -> Any:
    """Return an example with its floating arrays in float64."""
    if isinstance(example, dict):
        return {key: doubled(value) for key, value in example.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(example, tuple | list):
        return [doubled(value) for value in example]  # pyright: ignore[reportUnknownVariableType]
    array: NDArray[Any] = array_of(example)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def in_float64(model: Any) -> Any:
    """Return a copy of a model with the same weights that computes in float64; inside `double_precision`."""
    with preserve_python_random():
        rebuilder = Rebuilder(model, Changes(dtype="float64")) if is_graph(model) else None
        new = rebuilder.model() if rebuilder else remade(model, "float64")
        made = members_of(new)
        for name, member in members_of(model).items():
            values = array_of(member.variable)
            floating = values.dtype.kind == "f" or values.dtype.name == "bfloat16"
            made[name].variable.assign(values.astype(np.float64) if floating else values)
        if rebuilder:
            rebuilder.copy_extra_state()
        else:
            copy_extra_state(model, new)
    return new
