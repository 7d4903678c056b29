"""Operators on units, on Keras models: the laws, and the same units as in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw


@pytest.fixture
def net(keras: Any) -> Any:
    """A convolution with a norm, a dense layer with its own activation, and a head; 6 and 5 hidden units."""
    made = keras.Sequential([
        keras.layers.Input((8, 8, 3)),
        keras.layers.Conv2D(6, 3),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Flatten(),
        keras.layers.Dense(5, activation="tanh"),
        keras.layers.Dense(2),
    ])  # fmt: skip
    random = np.random.default_rng(0)
    for layer in made.layers:
        drawn = [random.uniform(-0.2 if w.ndim > 1 else 0.2, 0.5, w.shape) for w in layer.get_weights()]
        layer.set_weights([(w - 0.15 * (w.ndim > 1)).astype(np.float32) for w in drawn])
    return made


X = np.random.default_rng(1).standard_normal((16, 8, 8, 3)).astype(np.float32)


def outputs(model: Any, x: Any = X) -> Any:
    return np.asarray(model.predict(x, verbose=0))


def weights(model: Any, at: int) -> list[Any]:
    return [np.asarray(w) for w in model.layers[at].get_weights()]


def test_inversion_goes_through_norms_and_fused_activations(net: Any, keras: Any) -> None:
    first, dense = net.layers[0].name, net.layers[4].name
    mutant = gw.mutate(net, gw.InvertUnits(rate=1.0, where=f"{first}.*"), seed=1, example=X)
    before, after = (keras.Model(m.inputs, m.layers[1].output).predict(X, verbose=0) for m in (net, mutant))
    assert np.array_equal(after, -before)
    assert np.array_equal(weights(mutant, 0)[0], weights(net, 0)[0])
    mutant = gw.mutate(net, gw.InvertUnits(rate=1.0, where=f"{dense}.*"), seed=1, example=X)
    before, after = (keras.Model(m.inputs, m.layers[4].output).predict(X, verbose=0) for m in (net, mutant))
    assert np.allclose(after, -before, atol=1e-6)


def test_blocked_units_reach_nothing(net: Any) -> None:
    dense = net.layers[4].name
    chosen = gw.where(units={dense: [0, 3]})
    mutant = gw.mutate(net, gw.BlockUnits(rate=1.0, where=chosen), seed=1, example=X)
    assert not weights(mutant, 5)[0][[0, 3]].any()
    slim = gw.mutate(net, gw.Narrow(dense, units=(0, 3)), seed=1, example=X)
    assert np.allclose(outputs(mutant), outputs(slim), atol=1e-5)


def test_units_are_split_merged_folded_and_pruned(net: Any) -> None:
    wide = gw.mutate(net, gw.SplitUnits(count=3), seed=1, example=X)
    assert wide.layers[0].filters + wide.layers[4].units == 14
    assert np.allclose(outputs(wide), outputs(net), atol=1e-4)
    back = gw.mutate(wide, gw.MergeUnits(), seed=1, example=X)
    assert back.layers[0].filters + back.layers[4].units == 11
    assert np.allclose(outputs(back), outputs(net), atol=1e-4)
    kernel, *rest = net.layers[4].get_weights()
    kernel[:, 2] = 0.0
    net.layers[4].set_weights([kernel, *rest])
    slim = gw.mutate(net, gw.FoldConstantUnits(where=net.layers[4].name), seed=1, example=X)
    assert slim.layers[4].units == 4
    assert np.allclose(outputs(slim), outputs(net), atol=1e-4)
    pruned = gw.mutate(net, gw.PruneUnits(fraction=0.4, target="parameters", scope="all"), seed=1, example=X)
    assert pruned.count_params() <= 0.65 * net.count_params()
    assert gw.fingerprint(gw.replay(gw.recipe(pruned), net)) == gw.fingerprint(pruned)


def test_dead_units_start_again_with_the_optimizer_s_moments(net: Any, keras: Any) -> None:
    if keras.backend.backend() == "jax":
        pytest.skip("JAX trains outside of the model's own variables")
    _, gain_shift_mean_var = weights(net, 0)[0], net.layers[1].get_weights()
    gain, shift, *rest = gain_shift_mean_var
    gain[4], shift[4] = 1e-3, -9.0
    net.layers[1].set_weights([gain, shift, *rest])
    net.compile("adam", "mse")
    net.fit(X, np.zeros((16, 2), np.float32), verbose=0)
    before = outputs(net)
    gw.mutate(net, gw.RecycleUnits(where=net.layers[0].name), seed=1, example=X, inplace=True)
    assert np.allclose(outputs(net), before, atol=1e-5)
    assert float(weights(net, 1)[0][4]) == 1.0
    flat = weights(net, 4)[0].reshape(6, 6, 6, 5)
    assert not flat[:, :, 4].any()
    assert flat[:, :, :4].any()
    moments = [np.asarray(v) for v in net.optimizer.variables if "dense" in v.path and "kernel_momentum" in v.path]
    first = next(m for m in moments if m.shape == (216, 5)).reshape(6, 6, 6, 5)
    assert not first[:, :, 4].any()
    assert first[:, :, 0].any()


def test_costs_are_those_of_torch(keras: Any) -> None:
    from torch import nn, zeros

    layers = keras.layers
    made = keras.Sequential([
        layers.Input((9, 11, 3)),
        layers.Conv2D(6, 3, strides=2),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(3),
        layers.Conv2DTranspose(4, 3),
        layers.Reshape((20, 4)),
        layers.Dense(5),
        layers.LSTM(7),
    ])  # fmt: skip
    twin = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, groups=6), nn.ConvTranspose2d(6, 4, 3)
    )
    convolved = gw.cost(twin, zeros(2, 3, 9, 11)).macs
    found = gw.cost(made, np.zeros((2, 9, 11, 3), np.float32))
    assert convolved is not None
    assert found.macs == convolved + 2 * 20 * 20 + 2 * 20 * 4 * 7 * (5 + 7)
    assert found.parameters == made.count_params() - 12
    assert gw.cost(made).macs is None
