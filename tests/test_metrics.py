"""Metrics by name, and what is meant where none is named: every form that targets have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from tests.measured import BINARY, CLASSES, LOGITS, MANY, ONE_HOT, ROWS, SIGMOID, VALUES, measured, softmax

RIGHT = float((LOGITS.argmax(-1) == CLASSES).mean())
FORMS: dict[str, tuple[np.ndarray, np.ndarray, float]] = {
    "numbers": (LOGITS, CLASSES, RIGHT),
    "small numbers": (LOGITS, CLASSES.astype(np.uint8), RIGHT),
    "whole floats": (LOGITS, CLASSES.astype(np.float32), RIGHT),
    "a column": (LOGITS, CLASSES[:, None], RIGHT),
    "one-hot": (LOGITS, ONE_HOT, RIGHT),
    "one-hot integers": (LOGITS, ONE_HOT.astype(np.int64), RIGHT),
    "smoothed": (LOGITS, ONE_HOT * 0.9 + 0.025, RIGHT),
    "two classes of bool": (LOGITS[:, :2], BINARY[:, 0] > 0, float((LOGITS[:, :2].argmax(1) == BINARY[:, 0]).mean())),
    "pixels, classes second": (
        LOGITS.reshape(10, 5, 4).transpose(0, 2, 1),
        CLASSES.reshape(10, 5),
        RIGHT,
    ),
    "sigmoid, a column": (SIGMOID, BINARY, float(((SIGMOID > 0.5) == BINARY).mean())),
    "sigmoid, a row": (SIGMOID, BINARY[:, 0], float(((SIGMOID > 0.5) == BINARY).mean())),
    "sigmoid without a column": (SIGMOID[:, 0], BINARY[:, 0], float(((SIGMOID > 0.5) == BINARY).mean())),
    "one logit": (SIGMOID * 4 - 2, BINARY.astype(np.float32), float(((SIGMOID > 0.5) == BINARY).mean())),
    "several labels": (softmax(LOGITS), MANY, float(((softmax(LOGITS) > 0.5) == MANY).mean())),
}


@pytest.mark.parametrize("form", FORMS)
def test_accuracy_of_every_form_of_targets(form: str) -> None:
    outputs, targets, expected = FORMS[form]
    assert measured(outputs, targets) == {"accuracy": pytest.approx(expected, abs=1e-12)}
    assert 0.2 < expected < 0.9


def test_the_batches_are_looked_at_together() -> None:
    """The first batch of these labels is one-hot, the first batch of these values is zeros and ones."""
    labels = MANY.copy()
    labels[:7] = np.eye(4)[np.arange(7) % 4]
    assert measured(softmax(LOGITS), labels) == {
        "accuracy": pytest.approx(float(((softmax(LOGITS) > 0.5) == labels).mean()))
    }
    values = VALUES.copy()
    values[:7] = 1
    assert measured(SIGMOID, values) == {"mse": pytest.approx(float(((SIGMOID - values) ** 2).mean(dtype=np.float64)))}


def test_a_model_and_its_mutant_are_read_alike() -> None:
    """All logits of the mutant lie in [0, 1], as probabilities do; those of the original do not."""
    base, mutant = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        base.weight.fill_(1.0)
        base.bias.zero_()
        mutant.weight.zero_()
        mutant.bias.fill_(0.25)
    x = np.linspace(-2, 2, 20, dtype=np.float32)[:, None]
    found = gw.compare(base, mutant, (x, np.ones(20, np.int64))).metrics["accuracy"]
    assert (found.before, found.after) == (0.5, 1.0)


@pytest.mark.parametrize(
    "targets",
    [
        CLASSES.astype(np.float32) + 0.5,
        np.zeros((ROWS, 3), np.float32),
        np.zeros((ROWS, 2, 2), np.float32),
        np.array(["cat"] * ROWS),
    ],
    ids=["fractions", "other width", "other rank", "words"],
)
def test_targets_that_mean_nothing_known_are_refused(targets: np.ndarray) -> None:
    with pytest.raises(gw.DataError, match=r"is not known.*metrics=\(\) for nothing"):
        measured(LOGITS, targets)
    assert measured(LOGITS, targets, metrics=()) == {}


def test_named_metrics_take_every_form() -> None:
    expected = -np.log(softmax(LOGITS)[np.arange(ROWS), CLASSES].astype(np.float64)).mean()
    for targets in (CLASSES, CLASSES[:, None], ONE_HOT):
        assert measured(LOGITS, targets, "cross_entropy") == {"cross_entropy": pytest.approx(expected, rel=1e-6)}
    soft = ONE_HOT * 0.9 + 0.025
    theirs = nn.functional.cross_entropy(torch.from_numpy(LOGITS).double(), torch.from_numpy(soft).double())
    assert measured(LOGITS, soft, "cross_entropy") == {"cross_entropy": pytest.approx(float(theirs), rel=1e-6)}
    assert measured(SIGMOID, VALUES[:, 0], "mse")["mse"] == pytest.approx(measured(SIGMOID, VALUES, "mse")["mse"])
