"""Multiplications of a Keras graph, by the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from genewright.backends.keras.library import array_of, keras
from genewright.errors import UnsupportedError
from genewright.structure import Call

Shape = tuple[int, ...]


def macs_of(calls: Mapping[str, tuple[Call, Any, Any]], example: Any) -> dict[str, int]:
    """Return the multiplications of every layer that has some, for the batch of the example.

    Args:
        calls: The calls of its layers, with the first tensor that each receives and what it returns.
        example: A sample input.

    Raises:
        UnsupportedError: A layer multiplies in a way that is not known here, or a length is left open.
    """
    batch = int(array_of(keras.tree.flatten(example)[0]).shape[0])
    found: dict[str, int] = {}
    for name, (call, given, returned) in calls.items():
        operation = returned._keras_history.operation
        if call.composite or not operation.weights:
            continue
        count = _of(operation, name, _with(batch, given.shape), _with(batch, returned.shape))
        if count:
            found[name] = count * call.num_calls
    return found


def _of(layer: Any, name: str, given: Shape, returned: Shape) -> int:
    layers = keras.layers
    kernels = [w for w in layer.weights if len(w.shape) > 1]
    if isinstance(layer, layers.Embedding) or not kernels:
        return 0
    sizes = sum(prod(w.shape) for w in kernels)
    if isinstance(layer, layers.Dense):
        return _known(name, prod(given[:-1])) * sizes
    if isinstance(layer, layers.EinsumDense):
        return _known(name, prod(given) // _shared(layer.equation, given)) * sizes
    if isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose):
        return _known(name, _positions(layer, given)) * sizes
    if "conv" in type(layer).__name__.lower() and hasattr(layer, "kernel_size"):
        return _known(name, _positions(layer, returned)) * sizes
    if isinstance(layer, layers.LSTM | layers.GRU | layers.SimpleRNN):
        return _known(name, prod(given[:2])) * sizes
    if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization | layers.GroupNormalization):
        return 0
    raise UnsupportedError(f"How many multiplications {name!r} ({type(layer).__name__}) takes is not known here.")


def _with(batch: int, shape: Any) -> Shape:
    lengths = [-1 if size is None else int(size) for size in shape]
    return (batch if lengths[0] < 0 else lengths[0], *lengths[1:])


def _known(name: str, positions: int) -> int:
    if positions < 0:
        raise UnsupportedError(f"The multiplications of {name!r} depend on a length that the model leaves open.")
    return positions


def _positions(layer: Any, shape: Shape) -> int:
    """Return in how many places a convolution's window stands, for all samples."""
    first = layer.data_format == "channels_first"
    return shape[0] * prod(shape[2:] if first else shape[1:-1])


def _shared(equation: str, given: Shape) -> int:
    """Return the product of the input's axes that the kernel has too: "abc,cd->abd" shares c."""
    inputs, kernel = equation.split("->", maxsplit=1)[0].split(",")
    before, _, after = inputs.partition("...")
    axes = [*enumerate(before), *((at - len(after), label) for at, label in enumerate(after))]
    return prod(given[at] for at, label in axes if label in kernel)
