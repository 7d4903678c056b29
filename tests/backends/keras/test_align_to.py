"""AlignTo and Crossover(align=) on Keras models: the function stays, and shuffled units come back."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import genewright as gw


def network(seed: int) -> Any:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((9, 9, 2)),
            keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(12, activation="tanh", name="hidden"),
            keras.layers.Dense(3, name="head"),
        ]
    )


@pytest.mark.parametrize("by", ["weights", "activations"])
def test_units_come_back_and_the_function_stays(by: Any) -> None:
    x = np.random.default_rng(1).normal(size=(20, 9, 9, 2)).astype(np.float32)
    net, other = network(1), network(2)
    shuffled = gw.mutate(net, gw.AlignTo("other"), seed=1, example=x, donors={"other": other})
    assert gw.fingerprint(shuffled) != gw.fingerprint(net)
    np.testing.assert_allclose(shuffled.predict(x, verbose=0), net.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    back = gw.mutate(shuffled, gw.AlignTo("net", by=by), seed=2, example=x, donors={"net": net})
    assert gw.fingerprint(back) == gw.fingerprint(net)
    cross = gw.Crossover("it", kind="blend", align=by)
    child = gw.mutate(net, cross, seed=3, example=x, donors={"it": shuffled})
    np.testing.assert_allclose(child.predict(x, verbose=0), net.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    again = gw.replay(gw.recipe(child), net, donors=[shuffled])
    assert gw.fingerprint(again) == gw.fingerprint(child)
