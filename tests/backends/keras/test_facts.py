"""What is known of Keras's layers, what it makes of neutral descriptions, and the laws of its primitives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.backends.keras.specs import new_layers
from genewright.backends.keras.translating import in_keras
from genewright.layer import Layer
from genewright.spec import LayerSpec


def facts(keras: Any, shape: tuple[int, ...], layer: Any) -> Layer:
    model = keras.Sequential([keras.Input(shape), layer])
    return backend_of(model).network(model).layer(layer.name)


def test_kinds(keras: Any) -> None:
    layers = keras.layers
    found = {
        "linear": layers.Dense(2),
        "convolution": layers.Conv2D(2, 3),
        "depthwise_convolution": layers.DepthwiseConv2D(3),
        "separable_convolution": layers.SeparableConv2D(2, 3),
        "transposed_convolution": layers.Conv2DTranspose(2, 3),
        "norm": layers.GroupNormalization(1),
        "activation": layers.LeakyReLU(),
        "other": layers.MaxPooling2D(),
    }
    assert {kind: facts(keras, (8, 8, 2), layer).kind for kind, layer in found.items()} == {k: k for k in found}


def test_a_convolution(keras: Any) -> None:
    made = keras.layers.Conv2D(4, (3, 5), strides=2, padding="same", activation="relu", name="w")
    layer = facts(keras, (9, 9, 2), made)
    assert (layer.window, layer.stride, layer.padding, layer.dilation) == ((3, 5), (2, 2), "same", (1, 1))
    assert (layer.kernel, layer.bias, layer.window_axis, layer.channels) == ("w.kernel", "w.bias", 0, "last")
    assert (layer.activation, layer.plain, layer.composite) == ("relu", True, False)
    assert layer.settings == {"window": "kernel_size", "activation": "activation"}


def test_activations_that_can_be_exchanged_by_themselves(keras: Any) -> None:
    layers = keras.layers
    assert facts(keras, (4,), layers.Dense(2)).activation is None
    assert facts(keras, (4,), layers.Activation("tanh")).activation == "tanh"
    assert facts(keras, (4,), layers.ReLU()).activation == "ReLU"
    assert facts(keras, (4, 2), layers.GRU(2)).activation is None
    inner = layers.TimeDistributed(layers.Dense(3, activation="relu"), name="each")
    model = keras.Sequential([keras.Input((4, 2)), inner])
    assert all(layer.activation is None for layer in backend_of(model).network(model).layers.values())


@pytest.mark.parametrize(
    ("spec", "given", "returned"),
    [
        (LayerSpec(kind="linear", inputs=3, outputs=5, bias=False), (2, 3), (2, 5)),
        (
            LayerSpec(kind="convolution", inputs=3, outputs=5, window=(3, 3), padding="same", channels="last"),
            (2, 7, 7, 3),
            (2, 7, 7, 5),
        ),
        (LayerSpec(kind="zero_padding", padding=(1, 2), channels="last"), (2, 7, 7, 3), (2, 9, 11, 3)),
        (LayerSpec(kind="activation", activation="LeakyReLU"), (2, 3), (2, 3)),
        (LayerSpec(kind="activation", activation="PReLU"), (2, 3), (2, 3)),
        (LayerSpec(kind="gated", layers=(LayerSpec(kind="linear", inputs=3, outputs=3),), gate=0.5), (2, 3), (2, 3)),
    ],
)
def test_shapes_are_those_that_are_said(keras: Any, spec: LayerSpec, given: Any, returned: Any) -> None:
    model = keras.Sequential([keras.Input(given[1:]), keras.layers.Identity(name="beside")])
    made = new_layers(in_keras(spec), None, "beside", model, model.get_layer("beside"))
    assert tuple(made.on(keras.Input(batch_shape=given)).shape) == returned


def test_what_keras_has_not_is_refused(keras: Any) -> None:
    padded = LayerSpec(kind="convolution", inputs=3, outputs=5, window=(3, 3), padding=(1, 1))
    with pytest.raises(gw.SettingError, match="put a zero_padding before"):
        in_keras(padded)
    with pytest.raises(gw.SettingError, match="Did you mean 'gelu'"):
        in_keras(LayerSpec(kind="activation", activation="gellu"))


def test_keras_keeps_the_laws(classifier: Any, reader: Any, images: Any, words: Any) -> None:
    gw.check_backend(classifier(), example=images)
    gw.check_backend(reader(), example=words)


def test_a_skip_has_its_projection(keras: Any) -> None:
    layers = keras.layers
    made = [
        keras.Input((9, 9, 2)),
        layers.Conv2D(4, 3, strides=2, padding="same", name="a"),
        layers.Conv2D(4, 1, name="b"),
    ]
    model = keras.Sequential(made)
    batch = np.random.default_rng(0).normal(size=(2, 9, 9, 2)).astype(np.float32)
    mutant = gw.mutate(model, gw.AddSkip(start="a", end="b"), seed=1, example=batch)
    path = next(layer for layer in mutant.layers if layer.name.startswith("b_skip_path"))
    assert (path.filters, tuple(path.strides), tuple(path.kernel_size)) == (4, (2, 2), (1, 1))
    assert np.abs(np.asarray(mutant(batch)) - np.asarray(model(batch))).max() < 1e-6
