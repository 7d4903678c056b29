"""Blended activations: they start at the old one, reach the new one, and are built of Keras's own layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw

from .test_architecture import change, randomized


@pytest.fixture
def model(keras: Any) -> Any:
    layers = keras.layers
    made = [
        keras.Input((6, 6, 2)),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.ReLU(max_value=3.0, name="relu"),
        layers.Flatten(name="flat"),
        layers.Dense(5, activation="tanh", name="hidden"),
        layers.Dense(2, name="out"),
    ]
    return randomized(keras.Sequential(made))


@pytest.fixture
def images() -> Any:
    return np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)


def test_a_blend_starts_at_the_old_activation_and_is_saved_without_us(
    keras: Any, model: Any, images: Any, tmp_path: Path
) -> None:
    mutant = gw.mutate(model, gw.ReplaceActivation(to="gelu", blend=0.0), seed=1, example=images)
    assert change(model, mutant, images) < 1e-6
    assert mutant.get_layer("conv").activation is keras.activations.linear
    assert {"conv", "relu", "hidden"} < {layer.name for layer in mutant.layers}
    mutant.save(tmp_path / "blend.keras")
    plain = keras.saving.load_model(tmp_path / "blend.keras")
    assert gw.fingerprint(plain) == gw.fingerprint(mutant)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), model)) == gw.fingerprint(mutant)


def test_a_blend_of_one_is_the_new_activation_and_its_share_is_trained(keras: Any, model: Any, images: Any) -> None:
    for where in ("conv", "relu", "hidden"):
        whole = gw.mutate(model, gw.ReplaceActivation(where=where, to="gelu", blend=1.0), seed=1, example=images)
        at_once = gw.mutate(model, gw.ReplaceActivation(where=where, to="gelu"), seed=1, example=images)
        assert change(model, at_once, images) > 1e-3
        assert change(at_once, whole, images) < 1e-5
    mutant = gw.mutate(model, gw.ReplaceActivation(to="gelu", blend=0.0), seed=1)
    mutant.compile("sgd", "mse")
    mutant.fit(images, np.ones((4, 2), np.float32), verbose=0)
    assert np.abs(np.asarray(mutant.get_layer("hidden_blend_gate").kernel)).max() > 0


def test_a_layer_as_the_new_activation(keras: Any, model: Any, images: Any) -> None:
    slope = {"class_name": "LeakyReLU", "config": {"negative_slope": 0.2}}
    mutant = gw.mutate(model, gw.ReplaceActivation(where="hidden", to=slope, blend=0.0), seed=1, example=images)
    assert any(isinstance(layer, keras.layers.LeakyReLU) for layer in mutant.layers)
    with pytest.raises(gw.UnsupportedError, match="only a name fits"):
        gw.mutate(model, gw.ReplaceActivation(where="hidden", to=slope), seed=1, example=images)


def test_layers_inside_a_wrapper_are_left_alone(keras: Any) -> None:
    layers = keras.layers
    inner = layers.TimeDistributed(layers.Dense(3, activation="relu"), name="each")
    model = keras.Sequential([keras.Input((4, 2)), inner, layers.Dense(2, activation="relu", name="own")])
    mutant = gw.mutate(model, gw.ReplaceActivation(to="gelu"), seed=1)
    assert mutant.get_layer("each").layer.activation is keras.activations.relu
    assert mutant.get_layer("own").activation is keras.activations.gelu
