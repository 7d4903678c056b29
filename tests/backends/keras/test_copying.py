"""A copy of a Keras model is one, or it is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw

from .conftest import Make

NOISE = gw.GaussianNoise(std=0.5)


def test_a_replaced_method_of_a_layer_is_refused_in_a_copy_and_kept_in_place(classifier: Make, images: Any) -> None:
    model = classifier()
    layer = model.get_layer("shared")
    call = layer.call
    layer.call = lambda x, **settings: call(x) * 2
    doubled = model(images)
    with pytest.raises(gw.UnsupportedError, match=r"'call' of 'shared' \(Dense\) was replaced.*inplace=True"):
        gw.mutate(model, NOISE, seed=1)
    with pytest.raises(gw.UnsupportedError, match="'call' of 'shared'"):
        gw.mutate(model, gw.RemoveLayer("drop"), seed=1, example=images, inplace=True)
    np.testing.assert_array_equal(np.asarray(doubled), np.asarray(model(images)))
    assert gw.mutate(model, NOISE, seed=1, inplace=True) is model


def test_a_replaced_method_of_the_model_is_refused(classifier: Make) -> None:
    model = classifier()
    model.train_step = lambda data: {}
    with pytest.raises(gw.UnsupportedError, match="'train_step' of 'classifier'"):
        gw.mutate(model, NOISE, seed=1)


def test_a_layer_that_is_handed_on_is_refused(keras: Any) -> None:
    class Around(keras.Model):
        def __init__(self, inner: Any, **settings: Any) -> None:
            super().__init__(**settings)
            self.inner = inner

        def call(self, x: Any) -> Any:
            return self.inner(x)

        def get_config(self) -> dict[str, Any]:
            return {"inner": self.inner}

    model = Around(keras.layers.Dense(2))
    model(np.ones((2, 3), np.float32))
    before = gw.fingerprint(model)
    with pytest.raises(gw.UnsupportedError, match=r"'inner' \(Dense\) would be shared"):
        gw.mutate(model, NOISE, seed=1)
    assert gw.fingerprint(model) == before
