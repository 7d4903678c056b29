"""Metrics and losses of Keras give the number that `evaluate` gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import genewright as gw
from tests.measured import BINARY, CLASSES, LOGITS, MANY, ONE_HOT, SIGMOID, VALUES, measured, softmax

KERAS: list[tuple[Callable[[], Any], np.ndarray, np.ndarray]] = [
    (keras.metrics.SparseCategoricalAccuracy, softmax(LOGITS), CLASSES),
    (keras.metrics.SparseCategoricalAccuracy, softmax(LOGITS), CLASSES[:, None]),
    (keras.metrics.CategoricalAccuracy, softmax(LOGITS), ONE_HOT),
    (keras.metrics.BinaryAccuracy, SIGMOID, BINARY),
    (keras.metrics.AUC, SIGMOID, BINARY),
    (keras.metrics.Precision, SIGMOID, BINARY),
    (lambda: keras.metrics.F1Score(average="macro"), softmax(LOGITS), ONE_HOT),
    (lambda: keras.metrics.SparseTopKCategoricalAccuracy(k=2), LOGITS, CLASSES),
    (keras.metrics.MeanSquaredError, SIGMOID, VALUES),
    (keras.metrics.R2Score, SIGMOID, VALUES),
]


@pytest.mark.parametrize(("make", "outputs", "targets"), KERAS)
def test_keras_metrics_give_what_evaluate_gives(make: Any, outputs: np.ndarray, targets: np.ndarray) -> None:
    model = keras.Sequential([keras.Input(outputs.shape[1:]), keras.layers.Identity()])
    model.compile(loss=lambda _, outputs: 0.0 * keras.ops.sum(outputs), metrics=[make()])
    _, expected = model.evaluate(outputs, targets, batch_size=7, verbose=0)
    metric = make()
    metric.update_state(targets, outputs)  # a state of its own, which is neither used nor lost
    before = np.asarray(metric.result())
    found = measured(outputs, targets, metric)
    assert found == {metric.name: pytest.approx(expected, rel=1e-5)}
    assert np.array_equal(np.asarray(metric.result()), before)


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), LOGITS, CLASSES),
        (keras.losses.BinaryCrossentropy(), SIGMOID, BINARY),
        (keras.losses.sparse_categorical_crossentropy, softmax(LOGITS), CLASSES),
        (keras.metrics.mean_absolute_error, SIGMOID, VALUES),
    ],
)
def test_keras_losses_and_functions_take_the_targets_first(loss: Any, outputs: np.ndarray, targets: Any) -> None:
    expected = np.asarray(loss(targets, outputs)).mean()
    assert list(measured(outputs, targets, loss).values()) == [pytest.approx(float(expected), rel=1e-5)]


@pytest.mark.parametrize(
    ("metric", "outputs", "targets", "error", "said"),
    [
        (keras.metrics.F1Score(), softmax(LOGITS), ONE_HOT, gw.DataError, r"array of shape \(4,\), not one number"),
        (keras.metrics.MeanSquaredError(), LOGITS, MANY[:, :3], gw.DataError, "of keras does not take"),
        (keras.metrics.AUC, LOGITS, CLASSES, gw.SettingError, r"is a class; make one of it: AUC\(\)"),
    ],
)
def test_what_gives_no_number_is_refused(metric: Any, outputs: Any, targets: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        measured(outputs, targets, metric)
