"""Campaigns and faults on a Keras model: every preset has its mutants there, and the model is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.mutation_testing.mutants import Mutants
from genewright.mutation_testing.outcome import Outcome
from tests.mutation_testing.nets import blobs

keras = pytest.importorskip("keras")

SETS = [name for name in gw.testing.__all__ if isinstance(getattr(gw.testing, name), Mutants)]


@pytest.fixture(scope="module", name="net")
def _net() -> Iterator[Any]:
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    x, y = data()
    net.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    net.fit(x, y, epochs=15, verbose=0)
    before = gw.fingerprint(net)
    yield net
    assert gw.fingerprint(net) == before


def data() -> tuple[np.ndarray, np.ndarray]:
    x, y = blobs(120)
    return x.numpy(), y.numpy()


def right(model: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return model.predict(x, verbose=0).argmax(1) == y


def test_a_row_is_what_a_mutant_made_by_hand_gives(net: Any) -> None:
    x, y = data()
    report = gw.mutation_score(net, (x, y), count=12, seed=1)
    before = right(net, x, y)
    for row in report.rows[:6]:
        mutant = report.mutant(row.number, net)
        assert gw.fingerprint(mutant) == row.result
        assert row.broken == int((before & ~right(mutant, x, y)).sum())


@pytest.mark.parametrize("name", SETS)
def test_no_mutant_of_a_preset_is_refused_or_crashes(net: Any, name: str) -> None:
    mutants = getattr(gw.testing, name)
    report = gw.campaign(net, tuple(part[:40] for part in data()), mutants, count=len(mutants.operators), seed=1)
    found = report.outcomes()
    assert found[Outcome.REFUSED] == found[Outcome.CRASHED] == 0, [row.note for row in report.rows]
    assert all("SwapLayers" in note for note in report.notes)  # no two layers of one signature here


def test_faults_are_injected_and_made_again(net: Any) -> None:
    x, y = data()
    rate = gw.fault_rate(net, (x, y), margin=0.15, confidence=0.8, seed=1)
    assert rate.population == 32 * net.count_params()
    place = rate.worst(1)[0]
    mutant = rate.mutant(place, net)
    changed = (mutant.predict(x, verbose=0).argmax(1) != net.predict(x, verbose=0).argmax(1)).sum()
    assert changed == rate.faults.changed[rate.faults.place.tolist().index(place)] > 0
