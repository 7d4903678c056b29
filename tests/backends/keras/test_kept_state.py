"""Runs of a Keras model leave nothing behind in it: states, counters, generators."""

from __future__ import annotations

from typing import Any

import numpy as np

import genewright as gw
from genewright.backends import backend_of

X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)


def _values(model: Any) -> list[Any]:
    states = [one for layer in model.layers for one in getattr(layer, "states", None) or ()]
    return [np.array(backend_of(model).numeric(variable)) for variable in (*model.variables, *states)]


def _same(before: list[Any], after: list[Any]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_stateful_recurrent_net_is_compared_twice_alike(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input(batch_shape=(4, 5, 3)), layers.LSTM(6, stateful=True), layers.Dense(2)])
    model(X)
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    before = _values(model), _values(mutant)
    assert np.array_equal(before[0][-1], before[1][-1])  # a copy goes on where its original is
    assert before[0][-1].any()
    first = gw.compare(model, mutant, [X, X])
    assert _same(before[0], _values(model))
    assert _same(before[1], _values(mutant))
    assert gw.compare(model, mutant, [X, X]) == first
    table = str(gw.neurons.measure(model, X))
    assert _same(before[0], _values(model))
    assert str(gw.neurons.measure(model, X)) == table


def test_counters_and_caches_of_a_class_of_the_user_come_back(keras: Any) -> None:
    @keras.saving.register_keras_serializable("tests")
    class Counting(keras.Model):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.dense = keras.layers.Dense(3)
            self.calls, self.cache = 0, {"seen": []}
            self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

        def call(self, x: Any) -> Any:
            self.calls += 1
            self.cache["seen"].append(self.calls)
            self.steps.assign_add(1.0)
            return self.dense(x) * (self.calls + len(self.cache["seen"]) + self.steps)

    model = Counting()
    model(X)
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    held = model.calls, list(model.cache["seen"]), float(np.asarray(model.steps))
    first = gw.compare(model, mutant, [X, X])
    assert (model.calls, list(model.cache["seen"]), float(np.asarray(model.steps))) == held
    assert gw.compare(model, mutant, [X, X]) == first
