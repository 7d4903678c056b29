"""Larger windows of convolutions: exact for every padding, stride and dilation that is not refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.outputs import largest_change

from .test_architecture import randomized

EXACT = {
    "same": {"padding": "same"},
    "valid": {"padding": "valid"},
    "valid, strided": {"padding": "valid", "strides": 2},
    "valid, dilated": {"padding": "valid", "dilation_rate": 2},
    "same, strided": {"padding": "same", "strides": 2},
    "same, stride longer than the window": {"padding": "same", "strides": 3, "kernel_size": 1},
    "same, window of 2": {"padding": "same", "kernel_size": 2},
    "same, dilated": {"padding": "same", "dilation_rate": 2},
}


def assert_grows(keras: Any, kind: str, shape: tuple[int | None, ...], length: int, by: int, settings: Any) -> None:
    config = {"filters": 3, "kernel_size": 3, **settings}
    if kind.startswith("Depthwise"):
        config.pop("filters")
    layer = getattr(keras.layers, kind)(**config, name="w")
    model = randomized(keras.Sequential([keras.Input(shape), layer, keras.layers.Activation("tanh")]))
    batch = np.random.default_rng(0).normal(size=(2, *(length if n is None else n for n in shape)))
    mutant = gw.mutate(model, gw.GrowKernel(layer="w", by=by), seed=1, example=batch.astype(np.float32))
    assert mutant.get_layer("w").kernel_size[0] == config["kernel_size"] + by
    backend = backend_of(model)
    assert largest_change(backend.exact_outputs(model, batch), backend.exact_outputs(mutant, batch)) < 1e-12


@pytest.mark.parametrize("length", [8, 9])
@pytest.mark.parametrize("case", EXACT)
def test_a_larger_window_sees_the_same(keras: Any, case: str, length: int) -> None:
    assert_grows(keras, "Conv2D", (length, length + 1, 2), length, 4, EXACT[case])


@pytest.mark.parametrize("kind", ["DepthwiseConv2D", "SeparableConv2D"])
def test_depthwise_windows_grow(keras: Any, kind: str) -> None:
    assert_grows(keras, kind, (8, 8, 2), 8, 2, {"padding": "valid"})


def test_a_causal_window_grows_into_the_past(keras: Any) -> None:
    assert_grows(keras, "Conv1D", (None, 2), 9, 2, {"padding": "causal", "dilation_rate": 2})
    assert_grows(keras, "Conv1D", (None, 2), 9, 2, {"padding": "valid", "strides": 2})


def test_refusals_have_their_reasons(keras: Any) -> None:
    layers = keras.layers
    given = keras.Input((None, None, 2))
    short = layers.Conv2D(3, 1, strides=3, padding="same", name="short")(given)
    model = keras.Model(given, layers.Conv2DTranspose(2, 3, name="up")(short))
    with pytest.raises(gw.UnsupportedError, match="depends on the size of the image"):
        gw.mutate(model, gw.GrowKernel(layer="short"), seed=1)
    with pytest.raises(gw.UnsupportedError, match="would return more places"):
        gw.mutate(model, gw.GrowKernel(layer="up"), seed=1)


def test_a_shared_convolution_grows_at_every_call(keras: Any) -> None:
    given = keras.Input((9, 9, 2))
    twice = keras.layers.Conv2D(2, 3, name="twice")
    model = randomized(keras.Model(given, twice(twice(given))))
    batch = np.random.default_rng(0).normal(size=(2, 9, 9, 2)).astype(np.float32)
    mutant = gw.mutate(model, gw.GrowKernel(layer="twice"), seed=1, example=batch)
    assert [layer.name for layer in mutant.layers][1:] == ["twice_zero_padding2_d", "twice"]
    assert np.abs(mutant(batch) - model(batch)).max() < 1e-5
