"""A nonlinearity between weights and a layer norm is known, so that padding refuses by itself; all else is padded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.outputs import largest_change
from genewright.seeding import Noise

from .test_rules import randomized

BATCH = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)


def _residual(keras: Any, h: Any) -> Any:
    layers = keras.layers
    x = layers.LayerNormalization()(h)
    h = layers.Add()([h, layers.MultiHeadAttention(2, 3)(x, x)])
    x = layers.Dense(7, activation="gelu")(layers.LayerNormalization()(h))
    return layers.LayerNormalization()(h + layers.Dropout(0.1)(layers.Dense(6)(x)))


def _gated(keras: Any, h: Any) -> Any:
    return keras.layers.LayerNormalization(name="norm")(h * keras.layers.Dense(6)(h))


def _post_norm(keras: Any, h: Any) -> Any:
    x = keras.layers.LayerNormalization()(h)
    return keras.layers.LayerNormalization(name="norm")(keras.layers.Add()([x, keras.layers.Dense(6)(x)]))


def _behind(*names: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def make(keras: Any, h: Any) -> Any:
        for name in names:
            h = name(keras.layers)(h)
        return keras.layers.LayerNormalization(name="norm")(h)

    return make


PADDED: dict[str, Callable[[Any, Any], Any]] = {
    "nothing": _behind(),
    "pre-norm blocks": _residual,
    "a view and a mean over places": _behind(lambda k: k.Reshape((1, 5, 6)), lambda k: k.GlobalAveragePooling2D()),
    "a number": lambda keras, h: keras.layers.LayerNormalization()(2.0 * h / 3.0 - 1.0),
}
REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "a layer": (_behind(lambda k: k.ReLU()), "ReLU"),
    "an activation in the config": (_behind(lambda k: k.Activation("tanh")), "tanh"),
    "an operation": (lambda keras, h: keras.layers.LayerNormalization(name="norm")(keras.ops.gelu(h)), "Gelu"),
    "a largest value": (_behind(lambda k: k.MaxPooling1D()), "MaxPooling1D"),
    "gains": (_behind(lambda k: k.BatchNormalization()), "BatchNormalization"),
    "a kernel a channel": (_behind(lambda k: k.DepthwiseConv1D(3)), "DepthwiseConv1D"),
    "a product": (_gated, "Multiply"),
    "another norm": (_post_norm, "LayerNormalization"),
    "carried along": (_behind(lambda k: k.ReLU(), lambda k: k.Dropout(0.5)), "ReLU"),
}


def _model(keras: Any, function: Callable[[Any, Any], Any]) -> Any:
    given = keras.Input((5, 4))
    return randomized(
        keras.Model(given, keras.layers.Dense(2)(function(keras, keras.layers.Dense(6, name="w")(given))))
    )


@pytest.mark.parametrize("case", PADDED)
def test_what_keeps_the_mean_of_units_is_padded(keras: Any, case: str) -> None:
    model = _model(keras, PADDED[case])
    for operator in (gw.WidenStream("w", num_units=3), gw.WidenStream()):
        wide = gw.mutate(model, operator, seed=1, example=BATCH)
        outputs = [backend_of(each).exact_outputs(each, BATCH) for each in (model, wide)]
        assert largest_change(*outputs) < 1e-6  # the rounding of float32 weights


@pytest.mark.parametrize("case", REFUSED)
def test_a_nonlinearity_is_refused_by_name(keras: Any, case: str) -> None:
    function, name = REFUSED[case]
    model = _model(keras, function)
    operator = gw.WidenStream("w", num_units=3)
    network = backend_of(model).network(model, BATCH)
    with pytest.raises(gw.UnsupportedError, match=rf"'w' cannot be padded: {name} comes before the norm \("):
        list(operator.propose((network,), Noise(1)))
    with pytest.raises(gw.UnsupportedError, match=rf"can grow: 'w' cannot be padded: {name} comes before"):
        gw.WidenStream().resolve((network,), Noise(1))


def test_weights_behind_a_nonlinearity_make_units_anew(keras: Any) -> None:
    made = _behind(lambda k: k.ReLU(), lambda k: k.Dense(7, name="again"))
    wide = gw.mutate(_model(keras, made), gw.WidenStream("again", num_units=1), seed=1, example=BATCH)
    assert wide.get_layer("norm").gamma.shape == (8,)


def test_a_recurrent_layer_is_a_nonlinearity(keras: Any) -> None:
    given = keras.Input((5, 4))
    x = keras.layers.LayerNormalization()(keras.layers.Bidirectional(keras.layers.GRU(3), name="both")(given))
    model = keras.Model(given, keras.layers.Dense(2)(x))
    with pytest.raises(gw.UnsupportedError, match="Bidirectional comes before the norm"):
        gw.mutate(model, gw.WidenStream("both", num_units=1), seed=1, example=BATCH)
