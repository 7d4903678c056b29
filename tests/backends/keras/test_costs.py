"""gw.cost of Keras models: against the operations of TensorFlow's own graph, and against formulas where that loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import genewright as gw


def multiplied(model: Any, example: Any) -> int:
    """Return the multiplications of the products and convolutions in TensorFlow's graph of a model."""
    tf = pytest.importorskip("tensorflow")
    batches = [
        tf.TensorSpec(value.shape, value.dtype) for value in (example if isinstance(example, list) else [example])
    ]
    given: Any = batches if isinstance(example, list) else batches[0]
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(given).graph
    return sum(_of(operation) for operation in graph.get_operations())


def _of(operation: Any) -> int:
    sizes = [tuple(value.shape) for value in operation.inputs]
    made = math.prod(tuple(operation.outputs[0].shape)) if operation.outputs else 0
    if operation.type == "MatMul":
        return made * sizes[0][0 if operation.get_attr("transpose_a") else 1]
    if operation.type == "BatchMatMulV2":
        return made * sizes[0][-2 if operation.get_attr("adj_x") else -1]
    if operation.type == "Einsum":
        labels = operation.get_attr("equation").decode().split("->")[0].replace(",", "")
        return math.prod(dict(zip(labels, (*sizes[0], *sizes[1]), strict=True)).values())
    if operation.type == "Conv2D":
        return made * math.prod(sizes[1][:3])
    if operation.type == "DepthwiseConv2dNative":
        return made * math.prod(sizes[1][:2])
    return 0


def _attention(layers: Any) -> Any:
    given = layers.Input((None, 8))
    attended, scores = layers.MultiHeadAttention(2, 3, value_dim=5)(given, given, return_attention_scores=True)
    return given, [attended, scores]


def _cross_attention(layers: Any) -> Any:
    given, other = layers.Input((7, 8)), layers.Input((4, 6))
    return [given, other], layers.MultiHeadAttention(2, 3)(given, other)


def _grouped_attention(layers: Any) -> Any:
    given = layers.Input((6, 8))
    return given, layers.GroupQueryAttention(4, 4, 2)(given, given)


def _dot_attention(layers: Any) -> Any:
    given, other = layers.Input((7, 8)), layers.Input((4, 8))
    return [given, other], layers.Attention()([given, other])


def _steps(layers: Any) -> Any:
    given = layers.Input((5, 8))
    return given, layers.Dense(2)(layers.TimeDistributed(layers.Dense(4))(given))


def _dot(layers: Any) -> Any:
    given, other = layers.Input((5, 8)), layers.Input((3, 8))
    return [given, other], layers.Dot(axes=(2, 2))([given, other])


def _ops(layers: Any) -> Any:
    import keras

    given = layers.Input((5, 8))
    product = keras.ops.matmul(given, keras.ops.transpose(given, (0, 2, 1)))
    return given, keras.ops.einsum("bij,bjk->bik", product, given)


def _twice(layers: Any) -> Any:
    import keras

    block = keras.Sequential([layers.Input((8,)), layers.Dense(8), layers.Dense(8)])
    given = layers.Input((8,))
    return given, block(block(given))


def _own(layers: Any) -> Any:
    import keras

    class Own(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight(shape=(input_shape[-1], 7))
            self.inner = layers.Dense(3)
            self.inner.build((None, 7))

        def call(self, x: Any) -> Any:
            return self.inner(keras.ops.matmul(x, self.kernel))

    given = layers.Input((8,))
    return given, Own()(given)


def _flattened(layers: Any) -> Any:
    import keras

    given = layers.Input((5, 8))
    return given, layers.Dense(3)(keras.ops.reshape(given, (-1, 8)))  # the first axis is not the batch any more


@pytest.mark.parametrize(
    "build",
    [
        _attention, _cross_attention, _grouped_attention, _dot_attention, _steps, _dot, _ops, _twice, _own, _flattened,
    ],
)  # fmt: skip
def test_multiplications_are_those_of_tensorflow_s_graph(keras: Any, build: Callable[[Any], Any]) -> None:
    inputs, outputs = build(keras.layers)
    model = keras.Model(inputs, outputs)
    shapes = [tuple(size or 5 for size in one.shape[1:]) for one in keras.tree.flatten(inputs)]
    example: Any = [np.zeros((3, *shape), np.float32) for shape in shapes]
    example = example if len(example) > 1 else example[0]
    assert gw.cost(model, example).macs == multiplied(model, example) > 0


def test_layers_that_return_several_tensors_or_run_both_ways_are_counted(keras: Any) -> None:
    layers = keras.layers
    given = layers.Input((5, 8))
    made, state, _ = layers.LSTM(4, return_state=True)(given)
    one_way = 3 * 5 * (8 + 4) * 16
    assert gw.cost(keras.Model(given, [made, state]), np.zeros((3, 5, 8), np.float32)).macs == one_way
    both = keras.Sequential([given, layers.Bidirectional(layers.LSTM(4))])
    assert gw.cost(both, np.zeros((3, 5, 8), np.float32)).macs == 2 * one_way
    cells = layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(6)])
    stacked = keras.Sequential([given, cells])
    assert gw.cost(stacked, np.zeros((3, 5, 8), np.float32)).macs == 3 * 5 * ((8 + 4) * 12 + (4 + 6) * 6)
    images = keras.Sequential([layers.Input((4, 6, 6, 2)), layers.ConvLSTM2D(3, 3)])
    convolved = 2 * 4 * (4 * 4) * (9 * 2 * 12 + 9 * 3 * 12)
    assert gw.cost(images, np.zeros((2, 4, 6, 6, 2), np.float32)).macs == convolved


def test_what_cannot_be_counted_is_named(keras: Any) -> None:
    layers = keras.layers
    secret = keras.Sequential([layers.Input((8,)), layers.Lambda(lambda x: x @ keras.ops.transpose(x), name="secret")])
    with pytest.raises(gw.UnsupportedError, match=r"'secret' \(Lambda\)"):
        gw.cost(secret, np.zeros((3, 8), np.float32))
