"""The rule of every layer class: widened units change nothing, in float64; what has no rule is refused with reasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.outputs import largest_change
from tests.crosses import crossed

NO_RULE = {
    "FlaxLayer", "JaxLayer", "Lambda", "Pipeline", "TFSMLayer", "TorchModuleWrapper",  # other people's code
    "InputLayer", "InputSpec", "Layer", "Wrapper", "MaxNumBoundingBoxes",  # no layers of a graph
    "GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells",  # read as parts of an RNN
}  # fmt: skip


def chain(*names: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what builds a Sequential model of 6 steps of 4 features; the layer to widen is called "w"."""

    def make(keras: Any) -> Any:
        layers = keras.layers
        made = [name(layers) for name in names]
        end = [layers.Flatten(name="flat"), layers.Dense(2, name="end")]
        return keras.Sequential([keras.Input((6, 4)), *made, *end])

    return make


def graph(function: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def make(keras: Any) -> Any:
        given = keras.Input((6, 4))
        return keras.Model(given, keras.layers.Dense(2, name="end")(function(keras, given)))

    return make


def _grouped(keras: Any, x: Any) -> Any:
    h = keras.layers.Dense(8, name="w")(x)
    attended = keras.layers.GroupQueryAttention(3, 4, 2, use_gate=True)(h, h)
    return keras.layers.Flatten()(keras.layers.Add()([h, attended]))


def _gated(keras: Any, x: Any) -> Any:
    h = keras.layers.Dense(8)(x)
    attended = keras.layers.MultiHeadAttention(2, 3, use_gate=True, name="w")(h, h)
    return keras.layers.Flatten()(keras.layers.Add()([h, attended]))


def _values(keras: Any, x: Any) -> Any:
    query, value, key = (keras.layers.Dense(n, name=name)(x) for n, name in ((5, "q"), (4, "w"), (5, "k")))
    return keras.layers.Flatten()(keras.layers.Attention(use_scale=True)([query, value, key]))


def _additive(keras: Any, x: Any) -> Any:
    query, value, key = (keras.layers.Dense(5, name=name)(x) for name in ("w", "v", "k"))
    return keras.layers.Flatten()(keras.layers.AdditiveAttention()([query, value, key]))


def _dot(keras: Any, x: Any) -> Any:
    one, other = (keras.layers.Dense(5, name=name)(x) for name in ("w", "b"))
    return keras.layers.Flatten()(keras.layers.Dot(axes=(1, 1))([one, other]))


def _states(keras: Any, x: Any) -> Any:
    first, *states = keras.layers.LSTM(5, return_state=True, name="w")(x)
    return keras.layers.Concatenate()([first, keras.layers.LSTM(5, name="d")(x, initial_state=states)])


def _operations(keras: Any, x: Any) -> Any:
    ops = keras.ops
    h = keras.layers.Dense(5, name="w")(x)
    h = h * ops.sigmoid(ops.mean(h, axis=1, keepdims=True)) + 2.0
    turned = ops.squeeze(ops.expand_dims(ops.transpose(h, (0, 2, 1))[:, :, 1], 1), 1)
    return ops.concatenate([h[:, 0], ops.max(h, axis=1), turned], axis=-1)


def _skipped(keras: Any, x: Any) -> Any:
    h = keras.layers.Dense(5, name="w")(x)
    gate = keras.layers.EinsumDense("abc,c->abc", output_shape=(6, 5), name="gate")(keras.layers.Dense(5)(h))
    return keras.layers.Flatten()(keras.layers.Add()([h, gate]))


WIDENED = {
    "Bidirectional, concat": (chain(lambda k: k.Bidirectional(k.LSTM(5, return_sequences=True), name="w")), "w"),
    "Bidirectional, sum": (chain(lambda k: k.Bidirectional(k.GRU(5), merge_mode="sum", name="w")), "w"),
    "Bidirectional of cells": (chain(lambda k: k.Bidirectional(k.RNN(k.SimpleRNNCell(5)), name="w")), "w"),
    "Bidirectional behind": (chain(lambda k: k.Dense(5, name="w"), lambda k: k.Bidirectional(k.LSTM(3))), "w"),
    "TimeDistributed": (chain(lambda k: k.TimeDistributed(k.Dense(5, activation="relu"), name="w")), "w"),
    "TimeDistributed behind": (chain(lambda k: k.Dense(5, name="w"), lambda k: k.TimeDistributed(k.Dense(3))), "w"),
    "EinsumDense": (chain(lambda k: k.EinsumDense("abc,cd->abd", (6, 5), bias_axes="d", name="w")), "w"),
    "EinsumDense, ellipsis": (chain(lambda k: k.EinsumDense("...x,xy->...y", 5, bias_axes="y", name="w")), "w"),
    "EinsumDense, heads": (
        chain(
            lambda k: k.EinsumDense("abc,cde->abde", (6, 2, 5), bias_axes="de", name="w"),
            lambda k: k.EinsumDense("abde,def->abf", (6, 3)),
        ),
        "w[0]",
    ),
    "RNN": (chain(lambda k: k.RNN(k.LSTMCell(5), return_sequences=True, name="w")), "w"),
    "RNN of two cells": (chain(lambda k: k.RNN([k.GRUCell(5), k.LSTMCell(3)], name="w")), "w[0]"),
    "ConvLSTM1D": (
        chain(lambda k: k.Reshape((3, 2, 4)), lambda k: k.ConvLSTM1D(5, 3, padding="same", name="w")),
        "w",
    ),
    "states": (graph(_states), "w"),
    "GroupQueryAttention": (graph(_grouped), "w"),
    "MultiHeadAttention, heads": (graph(_gated), "w[0]"),
    "MultiHeadAttention, values": (graph(_gated), "w[1]"),
    "Attention": (graph(_values), "w"),
    "AdditiveAttention": (graph(_additive), "w"),
    "Dot": (graph(_dot), "w"),
    "keras.ops": (graph(_operations), "w"),
    "a gate a unit": (graph(_skipped), "w"),
    "adaptive pooling": (chain(lambda k: k.Conv1D(5, 3, name="w"), lambda k: k.AdaptiveAveragePooling1D(2)), "w"),
    "GroupNormalization": (chain(lambda k: k.Conv1D(8, 3, name="w"), lambda k: k.GroupNormalization(8)), "w"),
}


def batch() -> Any:
    return np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)


def randomized(model: Any) -> Any:
    """Give every variable a value of its own, so that nothing is kept by chance."""
    numbers = np.random.default_rng(1)
    for member in backend_of(model).network(model).members.values():  # type: ignore[attr-defined]
        if "float" in str(member.variable.dtype):
            member.variable.assign(0.5 * numbers.normal(size=member.variable.shape))
    return model


@pytest.mark.parametrize(("case", "init"), list(crossed(WIDENED, ("split", "silent"), one_in=2)))
def test_a_wider_layer_puts_out_the_same(keras: Any, case: str, init: Any) -> None:
    make, layer = WIDENED[case]
    model = randomized(make(keras))
    operator = gw.Widen(layer=layer, num_units=2, init=init, placement="both")
    mutant = gw.mutate(model, operator, seed=3, example=batch())
    assert mutant.count_params() > model.count_params()
    backend = backend_of(model)
    before, after = backend.exact_outputs(model, batch()), backend.exact_outputs(mutant, batch())
    assert before.exact
    assert after.exact
    assert largest_change(before, after) < 1e-9
    assert backend.predict(mutant, batch())[0].shape == (3, 2)


def test_masks_go_along(keras: Any) -> None:
    given = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True, name="embed")(given)
    x = keras.layers.LSTM(5, return_sequences=True, name="w")(x)
    made = keras.layers.Dense(2)(keras.layers.Bidirectional(keras.layers.GRU(3))(x))
    model = randomized(keras.Model(given, made))
    words = np.array([[3, 4, 5, 0, 0, 0], [1, 2, 0, 4, 5, 6]], np.int32)
    for layer in ("embed", "w"):
        mutant = gw.mutate(model, gw.Widen(layer=layer, num_units=2), seed=3, example=words)
        assert mutant.count_params() > model.count_params()
        assert np.abs(mutant(words) - model(words)).max() < 1e-5


def test_a_wrapper_made_again_is_saved_and_narrowed(keras: Any, tmp_path: Any) -> None:
    model = randomized(WIDENED["Bidirectional, concat"][0](keras))
    wide = gw.mutate(model, gw.Widen(layer="w", num_units=2, init="silent"), seed=3, example=batch())
    assert wide.get_layer("w").forward_layer.units == wide.get_layer("w").backward_layer.units == 7
    wide.save(tmp_path / "wide.keras")
    assert gw.fingerprint(keras.saving.load_model(tmp_path / "wide.keras")) == gw.fingerprint(wide)
    back = gw.mutate(wide, gw.Narrow(layer="w", units=(5, 6)), seed=3)
    assert gw.fingerprint(back) == gw.fingerprint(model)


PINNED = {
    "its largest singular value": lambda k: k.SpectralNormalization(k.Dense(5)),
    "no rule says what a Lambda does": lambda k: k.Lambda(lambda x: x[..., ::-1]),
    "softmax runs over it": lambda k: k.Dense(5, activation="softmax"),
    "a mask looks": lambda k: k.Masking(),
    "'own' may look across": lambda k: k.Dense(5, activation=own),
    "inside another layer": lambda k: k.TimeDistributed(k.LayerNormalization()),
    "length of an image": lambda k: k.RandomContrast(0.1),
}


def own(x: Any) -> Any:
    return x


@pytest.mark.parametrize("reason", PINNED)
def test_what_looks_across_units_is_refused_with_the_reason(keras: Any, reason: str) -> None:
    softmax = "softmax" in reason or "may look" in reason
    first = [PINNED[reason]] if softmax else [lambda k: k.Dense(5), PINNED[reason]]
    first += [lambda k: k.LSTM(3)] if "mask" in reason else []  # Flatten does not take a mask
    model = chain(*first)(keras)
    layer = model.layers[0].name
    with pytest.raises(gw.UnsupportedError, match=reason):
        gw.plan(model, gw.Widen(layer=layer, num_units=2), seed=3)


def test_states_of_both_directions_are_refused(keras: Any) -> None:
    given = keras.Input((6, 4))
    made = keras.layers.Bidirectional(keras.layers.LSTM(3, return_state=True), name="w")(given)
    model = keras.Model(given, keras.layers.Dense(2)(made[0]))
    with pytest.raises(gw.UnsupportedError, match=r"states of both directions|written by no layer|no width"):
        gw.mutate(model, gw.Widen(), seed=3, example=batch())


def test_every_class_of_keras_layers_has_a_rule_or_is_known_to_have_none(keras: Any) -> None:
    from genewright.backends.keras.widths.propagation import RULES

    kinds = {name: kind for name in dir(keras.layers) if isinstance(kind := getattr(keras.layers, name), type)}
    without = {
        name
        for name, kind in kinds.items()
        if not any(base in RULES and getattr(kind, "call", None) is getattr(base, "call", 0) for base in kind.__mro__)
    }
    assert without == NO_RULE
