"""What a Keras user guessed in the first hour: each guess is right, or its error names the call to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw

GUESSES: list[tuple[str, str | None]] = [
    ("gw.mutate(m, gw.GaussianNoise(0.1, where=gw.where(layers=L.Dense, roles='kernel')), seed=1)", None),
    ("gw.mutate(m, gw.Zero(where=gw.where(layers='dense')), seed=1)", r"Layer types: .*Dense"),
    ("gw.mutate(m, gw.Zero(where='hidden/kernel'), seed=1)", None),
    ("gw.mutate(m, gw.Zero(where=m.layers[0]), seed=1)", None),
    ("gw.mutate(m, gw.Zero(where=m.layers[0].kernel), seed=1)", None),
    ("gw.mutate(m, gw.InsertLayer('hidden', L.Dense(16, activation='relu')), seed=1, example=x)", None),
    ("gw.mutate(m, gw.InsertLayer('hidden', 'Dense'), seed=1, example=x)", None),
    ("gw.mutate(m, gw.InsertLayer('hidden', {'layer': 'Dense', 'units': 16}), seed=1, example=x)", None),
    (
        "gw.mutate(m, gw.InsertLayer('hidden', L.Dense(16, activation='sigmoid')), seed=1, example=x)",
        r"init='gate'",
    ),
    ("gw.mutate(m, gw.InsertLayer('hidden', L.Dense(16, 'sigmoid'), init='gate'), seed=1, example=x)", None),
    ("gw.mutate(m, gw.Widen('hidden', 1.5), seed=1)", None),
    ("gw.knobs(m)", None),
    ("gw.knobs(m, None)", None),
    ("gw.mutate(m, gw.Transfer('hidden', 'out', 0.5), seed=1)", r"copy|copied"),
    ("gw.compare(m, m, (x, y)).metrics['accuracy']", None),
    ("gw.compare(m, m, (x, keras.utils.to_categorical(y, 2))).metrics['accuracy']", None),
    ("gw.compare(m, m, (x, y[:, None])).metrics['accuracy']", None),
    ("gw.compare(m, m, x, y)", r"the tuple \(X, y\)"),
    ("gw.compare(m, m, (x, y), metrics=keras.metrics.SparseCategoricalAccuracy()).metrics", None),
    ("gw.compare(m, m, (x, y), metrics=keras.losses.SparseCategoricalCrossentropy(from_logits=True)).metrics", None),
    ("gw.compare(m, m, (x, y), metrics='sparse_categorical_accuracy')", r"Did you mean 'accuracy'"),
    ("gw.compare(m, m, (x, y)).ok(accuracy_drop=0.01)", None),
    ("gw.difference(m, gw.mutate(m, gw.Widen('hidden', 2.0), seed=1))", None),
    ("gw.load('net.h5', m)", r"Write gw.load\(model, 'net.h5'\)"),
    ("gw.mutate('net.h5', gw.Zero(), seed=1)", r"gw.read_checkpoint\('net.h5'\)"),
]


@pytest.fixture
def typed(keras: Any) -> dict[str, Any]:
    """What a guess finds in the session."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(16, activation="relu", name="hidden"), layers.Dense(2, name="out")]
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 8)).astype("float32")
    return {"gw": gw, "keras": keras, "L": layers, "m": model, "x": x, "y": (x[:, 0] > 0).astype(int)}


@pytest.mark.parametrize(("guess", "says"), GUESSES, ids=[guess for guess, _ in GUESSES])
def test_a_guess_is_right_or_answered_with_the_call_to_write(
    guess: str, says: str | None, typed: dict[str, Any]
) -> None:
    if says is None:
        assert eval(guess, dict(typed)) is not None
        return
    with pytest.raises(gw.GenewrightError, match=says):
        eval(guess, dict(typed))


def test_accuracies_of_keras_are_those_that_keras_counts(typed: dict[str, Any], keras: Any) -> None:
    model, x, y = typed["m"], typed["x"], typed["y"]
    mutant = gw.mutate(model, gw.GaussianNoise(0.3), seed=1)
    metric = keras.metrics.SparseCategoricalAccuracy()
    said = gw.compare(model, mutant, (x, y), metrics=metric).metrics["sparse_categorical_accuracy"]
    expected = [np.mean(np.argmax(np.asarray(net(x)), axis=1) == y) for net in (model, mutant)]
    assert [said.before, said.after] == pytest.approx(expected)


def test_a_saved_mutant_keeps_its_recipe_and_the_base_its_optimizer(
    typed: dict[str, Any], keras: Any, tmp_path: Path
) -> None:
    model = keras.models.clone_model(typed["m"])
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    mutant = gw.mutate(model, gw.GaussianNoise(0.1), seed=1)
    gw.save(mutant, tmp_path / "a.keras")
    gw.save(model, tmp_path / "a.h5")
    assert gw.recipe(gw.load(tmp_path / "a.keras")) == gw.recipe(mutant)
    model.save(tmp_path / "b.keras")
    assert type(keras.models.load_model(tmp_path / "b.keras").optimizer).__name__ == "Adam"
