"""The graph of a subclassed model: its own Python code, run once on symbolic tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from genewright.backends.keras.cloning import preserve_python_random
from genewright.backends.keras.library import error_text, keras
from genewright.backends.keras.members import is_graph, is_of_keras, layers_of
from genewright.backends.keras.snapshot import snapshot_attributes
from genewright.errors import UnsupportedError


def traced(model: Any, *, training: bool) -> Any:
    """Return a Functional model of what `call` does, which shares the layers of `model`; that one stays as it was.

    Raises:
        UnsupportedError: `call` does not run on symbolic tensors, or uses values that are no layer's output.
    """
    reason = ""
    for inputs in symbolic_inputs(model):
        try:
            return inner_graph(model, (), inputs, (model, *layers_of(model).values()), training=training)
        except UnsupportedError:
            raise
        except Exception as error:
            reason = reason or error_text(error)
    raise UnsupportedError(
        f"{model.name!r} of class {type(model).__name__} is a subclassed model whose call does not run on symbolic "
        f"tensors, so its architecture cannot be read: {reason} Write call with layers and keras.ops instead of a "
        "backend's own operations, or build the model with the Functional API. Its weights can be mutated as it is."
    )


def inner_graph(layer: Any, args: Any, keywords: Mapping[str, Any], layers: Sequence[Any], *, training: bool) -> Any:
    """Return what a layer's `call` does as a Functional model of its inner layers.

    Args:
        layer: A model or layer of the user's class.
        args: The arguments of one of its calls, tensors as KerasTensor.
        keywords: Its keyword arguments likewise.
        layers: All that may be called, to be as they were afterwards.
        training: What `call` is told, where it asks.

    Raises:
        UnsupportedError: It computes with values that are no layer's output: they may follow a width unseen.
    """
    graph = traced_call(layer, args, keywords, layers, training=training)
    for nodes in graph._nodes_by_depth.values():
        for node in nodes:
            if not isinstance(node.operation, keras.layers.Layer) and any(map(_is_value, _arguments(node))):
                raise UnsupportedError(
                    f"{layer.name!r} of class {type(layer).__name__} computes with values that are no layer's output "
                    f"({node.operation.name}), and those may follow a width: its architecture cannot be read. Hold "
                    "them in a layer of their own, or build the model with the Functional API."
                )
    return graph


def traced_call(layer: Any, args: Any, keywords: Mapping[str, Any], layers: Sequence[Any], *, training: bool) -> Any:
    """Return what a layer's `call` does as a Functional model, whatever values it computes with; as `inner_graph`."""
    given: list[Any] = []

    def made(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        given.append(keras.Input(batch_shape=value.shape, dtype=value.dtype, name=f"given_{len(given)}"))
        return given[-1]

    known = {key: value for key, value in keywords.items() if key != "training"}
    args, known = keras.tree.map_structure(made, (tuple(args), known))
    if "training" in inspect.signature(layer.call).parameters:
        known["training"] = training
    undo = snapshot_attributes(layers)
    try:
        with preserve_python_random():
            return keras.Model(given, layer.call(*args, **known), name="traced")
    finally:
        undo()


def is_traceable(layer: Any) -> bool:
    """Whether a layer is of a user's class and made of layers alone, so that tracing its `call` says what it does."""
    return (
        isinstance(layer, keras.layers.Layer)
        and not is_graph(layer)
        and not is_of_keras(layer)
        and not layer._trainable_variables
        and not layer._non_trainable_variables
        and bool(layers_of(layer))
    )


def symbolic_inputs(model: Any) -> Iterator[dict[str, Any]]:
    """Yield keyword arguments of `call` as Keras noted their shapes at the first call: floating ones, then integers.

    Raises:
        UnsupportedError: Keras noted no shapes.
    """
    config: dict[str, Any] = model.get_build_config() or {}
    shapes: dict[str, Any] = dict(config.get("shapes_dict") or {})
    first = next(iter(inspect.signature(model.call).parameters), "inputs")
    if "input_shape" in config and not shapes:
        shapes = {f"{first}_shape": config["input_shape"]}
    if not shapes or any(shape is None for shape in shapes.values()):
        raise UnsupportedError(
            f"{model.name!r} of class {type(model).__name__} is a subclassed model, and Keras did not note the shapes "
            "that it was called with, so its architecture cannot be read. Call it once on a sample: model(sample)."
        )
    for dtype in (model.compute_dtype, "int32"):
        made = _maker(dtype)
        keyed = {key.removesuffix("_shape"): shape for key, shape in shapes.items()}
        if len(keyed) == 1 and "input" in keyed:
            keyed = {first: keyed["input"]}
        yield {key: made(shape) for key, shape in keyed.items()}


def _maker(dtype: str) -> Callable[[Any], Any]:
    def made(shape: Any) -> Any:
        if isinstance(shape, Mapping):
            return {key: made(one) for key, one in cast("Mapping[str, Any]", shape).items()}
        sizes = list(cast("Sequence[Any]", shape))
        if all(size is None or isinstance(size, int) for size in sizes):
            return keras.KerasTensor((None, *sizes[1:]), dtype=dtype)
        return [made(one) for one in sizes]

    return made


def _arguments(node: Any) -> list[Any]:
    return keras.tree.flatten((node.arguments.args, node.arguments.kwargs))


def _is_value(value: Any) -> bool:
    if isinstance(value, keras.KerasTensor):
        return False
    return isinstance(value, keras.Variable) or keras.ops.is_tensor(value) or getattr(value, "ndim", 0) > 0
