"""SafeGaussianNoise on Keras: derivatives in float64, on every backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of

from .conftest import INSTALLED


def assert_derivatives_and_replay() -> None:
    """Hold products with the Jacobian to the chain rule written out, and a replay to its mutant."""
    import keras

    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    net = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="tanh", name="a"), keras.layers.Dense(3, name="b")]
    )
    read = {
        f"{layer.name}.{v.name}": np.array(keras.ops.convert_to_numpy(v)) for layer in net.layers for v in layer.weights
    }
    first, second = (read[f"{name}.kernel"].astype(np.float64) for name in "ab")
    hidden = np.tanh(x @ first + read["a.bias"])
    slope = 1 - hidden**2
    before = gw.fingerprint(net)
    jacobian = backend_of(net).network(net, x).jacobian(list(read))
    back = (weights @ second.T) * slope
    expected = {"a.kernel": x.T @ back, "a.bias": back.sum(0), "b.kernel": hidden.T @ weights, "b.bias": weights.sum(0)}
    for name, found in jacobian.backward(weights).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-9, atol=1e-12)
    d = {name: rng.normal(size=values.shape) for name, values in read.items()}
    moved = ((x @ d["a.kernel"] + d["a.bias"]) * slope) @ second + hidden @ d["b.kernel"] + d["b.bias"]
    np.testing.assert_allclose(jacobian.forward(d), moved, rtol=1e-6, atol=1e-8)
    mutant = gw.mutate(net, gw.SafeGaussianNoise(std=0.1), seed=1, example=x)
    again = gw.replay(gw.recipe(mutant), net, example=x)
    assert gw.fingerprint(again) == gw.fingerprint(mutant) != before == gw.fingerprint(net)


def test_derivatives_are_those_of_the_chain_rule() -> None:
    assert_derivatives_and_replay()


@pytest.mark.slow
@pytest.mark.parametrize("backend", INSTALLED)
def test_derivatives_are_the_same_on_every_backend(backend: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.backends.keras.test_safe_noise"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    assert done.returncode == 0, done.stderr[-2000:]


if __name__ == "__main__":
    assert_derivatives_and_replay()
