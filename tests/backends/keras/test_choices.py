"""Operators that let the seed choose a layer choose among those that they can act on; refusals are in our words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.outputs import largest_change
from genewright.seeding import Noise

from .test_rules import randomized


def merging(keras: Any) -> tuple[Any, Any]:
    """Layers of two tensors, a layer that returns several, one with a mask, and channels that become steps."""
    layers = keras.layers
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    product = layers.Multiply(name="product")([layers.Dense(6, name="left")(one), layers.Dense(6, name="right")(other)])
    x = layers.Add(name="sum")([layers.Concatenate(name="laid")([product, one])[:, :6], product])
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Reshape((6, 1), name="steps")(layers.Dense(6, name="channels")(x))
    x = layers.MultiHeadAttention(1, 2, name="attend")(x, x)
    states = layers.LSTM(3, return_state=True, name="states")(x)
    batch = [np.random.default_rng(at).normal(size=(3, 6)).astype(np.float32) for at in range(2)]
    return randomized(keras.Model([one, other], layers.Concatenate(name="end")(states))), batch


OPERATORS = {
    "add_skip": gw.AddSkip(),
    "insert_layer": gw.InsertLayer(),
    "replace_layer": gw.ReplaceLayer(),
    "remove_layer": gw.RemoveLayer(),
    "add_branch": gw.AddBranch(),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_any_seed_chooses_can_be_done(keras: Any, operator: str) -> None:
    model, batch = merging(keras)
    network = backend_of(model).network(model, batch)
    resolved = [OPERATORS[operator].resolve((network,), Noise(seed)) for seed in range(40)]
    chosen = {str(each): each for each in resolved}  # each choice once
    for each in chosen.values():
        mutant = gw.mutate(model, each, seed=1)
        assert gw.fingerprint(mutant) != gw.fingerprint(model) or mutant.layers != model.layers


@pytest.mark.parametrize("layer", ["sum", "product", "attend"])
def test_a_skip_around_a_layer_of_several_tensors_starts_at_the_first(keras: Any, layer: str) -> None:
    model, batch = merging(keras)
    mutant = gw.mutate(model, gw.AddSkip(layer), seed=1, example=batch)
    backend = backend_of(model)
    assert largest_change(backend.exact_outputs(model, batch), backend.exact_outputs(mutant, batch)) < 1e-12
    assert any("skip" in each.name for each in mutant.layers)


@pytest.mark.parametrize(
    ("layer", "new", "match"),
    [
        ("sum", "identity", "'sum' would return 2 outputs, and has 1"),
        ("attend", "identity", "'attend' is called with 2 arguments, which Identity does not take"),
    ],
)
def test_a_layer_that_cannot_stand_for_another_is_refused_in_our_words(
    keras: Any, layer: str, new: str, match: str
) -> None:
    model, _ = merging(keras)
    with pytest.raises(gw.UnsupportedError, match=match):
        gw.mutate(model, gw.ReplaceLayer(layer=layer, new=new), seed=1)


@pytest.mark.parametrize("kind", ["LSTM", "Conv1D", "GlobalMaxPooling1D", "AveragePooling1D"])
def test_channels_that_have_become_steps_cannot_grow(keras: Any, kind: str) -> None:
    """Reshape makes a width a length in time: more of it is more steps, which every layer looks across."""
    layers, given = keras.layers, keras.Input((4,))
    after = {
        "LSTM": lambda: layers.LSTM(3),
        "Conv1D": lambda: layers.Conv1D(3, 3, padding="same"),
        "GlobalMaxPooling1D": lambda: layers.GlobalMaxPooling1D(),
        "AveragePooling1D": lambda: layers.AveragePooling1D(2, 1, "same"),
    }[kind]()
    x = after(layers.Reshape((6, 1))(layers.Dense(6, name="w")(given)))
    model = keras.Model(given, layers.Dense(2)(layers.Flatten()(x)))
    knob = next(knob for knob in gw.knobs(model, None) if "w" in knob.layers)
    assert knob.pins or knob.mixes
    with pytest.raises(gw.UnsupportedError, match=r"'w' (cannot change|mixes its units)"):
        gw.mutate(model, gw.Widen("w", num_units=1), seed=1, example=np.ones((2, 4), np.float32))


def test_a_shared_layer_that_has_two_names_has_one_config(keras: Any) -> None:
    given = keras.Input((4,))
    twice = keras.layers.Dense(4, activation="relu", name="twice")
    inner = keras.Sequential([keras.Input((4,)), twice, keras.layers.Dense(3, name="last")], name="inner")
    model = keras.Model(given, inner(twice(given)))
    mutant = gw.mutate(model, gw.ReplaceActivation(to="tanh"), seed=1)
    assert mutant.get_layer("twice") is mutant.get_layer("inner").get_layer("twice")
    assert mutant.get_layer("twice").activation is keras.activations.tanh
