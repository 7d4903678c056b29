"""Mutants of a Keras model: the base stays, survivors are made again from the report."""

from __future__ import annotations

from typing import Any

import numpy as np

import genewright as gw


def test_a_keras_model_is_scored_as_a_torch_module_is(keras: Any) -> None:
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(80, 6)).astype(np.float32)
    layers = [keras.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    for variable in model.trainable_variables:
        variable.assign(numbers.normal(size=variable.shape).astype(np.float32))
    y = keras.ops.convert_to_numpy(model(x)).argmax(1)  # it has all of them right
    before = gw.fingerprint(model)
    report = gw.mutation_score(model, (x, y), count=24, criterion="any", seed=1)
    assert gw.fingerprint(model) == before
    assert sum(report.outcomes().values()) == 24
    assert report.score().killed > 0
    for row in [row for row in report.rows if row.result is not None][:4]:
        mutant = report.mutant(row.number, model)
        assert gw.fingerprint(mutant) == row.result
        wrong = int((keras.ops.convert_to_numpy(mutant(x)).argmax(1) != y).sum())
        assert (row.broken, row.mended) == (wrong, 0)
