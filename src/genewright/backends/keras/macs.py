"""Multiplications of a Keras model, by the shapes of what its operations are given."""

from __future__ import annotations

from math import prod
from typing import Any, cast

from genewright.backends.keras.library import keras
from genewright.backends.keras.shape_run import Carried, shape_run
from genewright.errors import UnsupportedError

Shape = tuple[int, ...]

# Of keras.ops, those that multiply and are not counted here.
_UNKNOWN = frozenset({"Dot", "Tensordot", "Vdot", "Inner", "Outer", "Kron", "Correlate", "Conv", "ConvTranspose",
                      "DepthwiseConv", "SeparableConv", "DotProductAttention", "Lambda"})  # fmt: skip


def macs_of(model: Any, example: Any) -> dict[str, int]:
    """Return the multiplications of every layer that has some, in one run on the example.

    Raises:
        UnsupportedError: Something multiplies in a way that is not known here.
    """
    found: dict[str, int] = {}
    for call in shape_run(model, example):
        count = _of(call.operation, call.name, _shapes((call.args, dict(call.kwargs))), call)
        if count:
            found[call.name] = found.get(call.name, 0) + count
    return found


def _of(operation: Any, name: str, given: list[Shape], call: Carried) -> int:
    """Return the multiplications of one call.

    Args:
        operation: The layer, or the operation of keras.ops.
        name: What to call it in errors.
        given: The shapes of all tensors that it is given.
        call: The call; of a layer inside another, that one's.
    """
    layers, returned = keras.layers, _shapes(call.result)
    if not isinstance(operation, layers.Layer):
        return _of_op(operation, name, given, returned)
    if isinstance(operation, layers.MultiHeadAttention | layers.GroupQueryAttention):
        return _of_attention(operation, name, call)
    if isinstance(operation, layers.Attention | layers.AdditiveAttention):
        return _of_scores(operation, given)
    if isinstance(operation, layers.Dot):
        return prod(returned[0]) * _contracted(operation, given[0])
    if isinstance(operation, layers.Bidirectional):
        return sum(_of(one, name, given, call) for one in (operation.forward_layer, operation.backward_layer))
    if isinstance(operation, layers.SpectralNormalization):
        return _of(operation.layer, name, given, call)
    if isinstance(operation, layers.TimeDistributed):
        inner = operation.layer
        args = (keras.KerasTensor((given[0][0] * given[0][1], *given[0][2:])),)
        within = Carried(name, inner, args, {}, inner.compute_output_spec(*args))
        return _of(inner, name, _shapes(args), within)
    return _of_kernels(operation, name, given[0], returned[0])


def _of_kernels(layer: Any, name: str, given: Shape, returned: Shape) -> int:
    """Return those of a layer in which each place that it looks at meets every number of its kernels."""
    layers = keras.layers
    kernels = [w for w in layer.weights if len(w.shape) > 1 and w.name != "bias"]  # a GRU's biases have two rows
    if isinstance(layer, layers.Lambda | keras.Model):
        raise _not_known(name, layer)
    if isinstance(layer, layers.Embedding) or not kernels:
        return 0
    sizes = sum(prod(w.shape) for w in kernels)
    if isinstance(layer, layers.Dense):
        return prod(given[:-1]) * sizes
    if isinstance(layer, layers.EinsumDense):
        return prod(given) // _shared(layer.equation, given) * sizes
    if isinstance(layer, layers.ConvLSTM1D | layers.ConvLSTM2D | layers.ConvLSTM3D):
        return given[0] * given[1] * _window_places(layer, returned[-1 - len(layer.kernel_size) :]) * sizes
    if isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose):
        return given[0] * _window_places(layer, given[1:]) * sizes
    if "conv" in type(layer).__name__.lower() and hasattr(layer, "kernel_size"):
        return returned[0] * _window_places(layer, returned[1:]) * sizes
    if isinstance(layer, layers.RNN) and _cells_are_known(layer.cell):
        return prod(given[:2]) * sizes
    if isinstance(layer, layers.BatchNormalization | layers.LayerNormalization | layers.GroupNormalization):
        return 0
    raise _not_known(name, layer)


def _of_op(operation: Any, name: str, given: list[Shape], returned: list[Shape]) -> int:
    kind = type(operation).__name__
    if kind == "Matmul":
        return prod(returned[0]) * given[0][-1]
    if kind == "Einsum":
        subscripts = str(operation.subscripts).replace(" ", "")
        if len(given) != 2 or "." in subscripts:
            raise _not_known(name, operation)
        labels = dict(zip(subscripts.split("->", maxsplit=1)[0].replace(",", ""), sum(given, ()), strict=True))
        return prod(labels.values())
    if kind in _UNKNOWN:
        raise _not_known(name, operation)
    return 0


def _of_attention(layer: Any, name: str, call: Carried) -> int:
    """Return those of projections, of scores and of the sums that they weigh."""
    named = dict(zip(("query", "value", "key"), call.args, strict=False)) | dict(call.kwargs)
    query, value = (tuple(named[which].shape) for which in ("query", "value"))
    key = value if named.get("key") is None else tuple(named["key"].shape)
    if len(query) != 3 or len(value) != 3:
        raise _not_known(name, layer)
    grouped = isinstance(layer, keras.layers.GroupQueryAttention)
    heads = int(layer.num_query_heads if grouped else layer.num_heads)
    sizes = (layer.head_dim, layer.head_dim) if grouped else (layer.key_dim, layer.value_dim)
    dense = layer._query_dense, layer._key_dense, layer._value_dense, layer._output_dense
    lengths = query[1], key[1], value[1], query[1]
    projected = sum(length * prod(one.kernel.shape) for one, length in zip(dense, lengths, strict=True))
    return query[0] * (projected + heads * query[1] * value[1] * sum(map(int, sizes)))


def _of_scores(layer: Any, given: list[Shape]) -> int:
    """Return those of attention without projections: scores, but sums of tanh, and what they weigh."""
    query, value = given[0], given[1]
    additive = isinstance(layer, keras.layers.AdditiveAttention)
    scored = int(layer.use_scale) if additive else int(layer.score_mode == "dot")
    return prod(query[:-1]) * value[-2] * (scored * query[-1] + value[-1])


def _contracted(layer: Any, first: Shape) -> int:
    axes = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
    return first[axes]


def _cells_are_known(cell: Any) -> bool:
    layers = keras.layers
    if isinstance(cell, layers.StackedRNNCells):
        return all(map(_cells_are_known, cell.cells))
    return isinstance(cell, layers.LSTMCell | layers.GRUCell | layers.SimpleRNNCell)


def _window_places(layer: Any, shape: Shape) -> int:
    """Return in how many places of one sample a convolution's window stands."""
    return prod(shape[1:] if layer.data_format == "channels_first" else shape[:-1])


def _shared(equation: str, given: Shape) -> int:
    """Return the product of the input's axes that the kernel has too: "abc,cd->abd" shares c."""
    inputs, kernel = equation.split("->", maxsplit=1)[0].split(",")
    before, _, after = inputs.partition("...")
    axes = [*enumerate(before), *((at - len(after), label) for at, label in enumerate(after))]
    return prod(given[at] for at, label in axes if label in kernel)


def _shapes(values: Any) -> list[Shape]:
    tensors = [value for value in keras.tree.flatten(values) if isinstance(value, keras.KerasTensor)]
    return [cast(Shape, tuple(tensor.shape)) for tensor in tensors]


def _not_known(name: str, operation: Any) -> UnsupportedError:
    return UnsupportedError(f"How many multiplications {name!r} ({type(operation).__name__}) takes is not known here.")
