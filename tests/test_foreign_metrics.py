"""Metrics of torchmetrics, torch and scikit-learn give the number that their own library gives."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import nn

import genewright as gw
from tests.measured import BINARY, CLASSES, LOGITS, MANY, ONE_HOT, SIGMOID, VALUES, measured, softmax
from tests.pretrained import torchvision_ready

torchvision_ready()
import torchmetrics  # noqa: E402  # it imports torchvision

TORCHMETRICS: list[tuple[Any, np.ndarray, np.ndarray]] = [
    (torchmetrics.Accuracy(task="multiclass", num_classes=4), LOGITS, CLASSES),
    (torchmetrics.F1Score(task="multiclass", num_classes=4, average="macro"), LOGITS, CLASSES),
    (torchmetrics.Accuracy(task="binary"), SIGMOID, BINARY),
    (torchmetrics.AUROC(task="binary"), SIGMOID, BINARY),
    (torchmetrics.Accuracy(task="multilabel", num_labels=4), softmax(LOGITS), MANY.astype(np.int64)),
    (torchmetrics.MeanSquaredError(), SIGMOID, VALUES),
    (
        functools.partial(torchmetrics.functional.accuracy, task="multiclass", num_classes=4),
        LOGITS,
        CLASSES,
    ),
]


@pytest.mark.parametrize(("metric", "outputs", "targets"), TORCHMETRICS)
def test_torchmetrics_give_their_own_number(metric: Any, outputs: np.ndarray, targets: np.ndarray) -> None:
    expected = float(metric(torch.from_numpy(outputs), torch.from_numpy(targets)))
    kept = [tensor.clone() for tensor in metric.metric_state.values()] if hasattr(metric, "tp") else []
    assert list(measured(outputs, targets, metric).values()) == [pytest.approx(expected, rel=1e-6)]
    now = list(metric.metric_state.values()) if kept else []
    assert all(torch.equal(a, b) for a, b in zip(kept, now, strict=True))


def test_a_collection_of_torchmetrics_is_its_members() -> None:
    settings = {"task": "multiclass", "num_classes": 4}
    both = torchmetrics.MetricCollection(
        {"acc": torchmetrics.Accuracy(**settings), "f1": torchmetrics.F1Score(**settings, average="macro")}
    )
    expected = both(torch.from_numpy(LOGITS), torch.from_numpy(CLASSES))
    assert measured(LOGITS, CLASSES, both) == {name: pytest.approx(float(v)) for name, v in expected.items()}


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.functional.cross_entropy])
def test_losses_of_torch(loss: Any) -> None:
    expected = float(loss(torch.from_numpy(LOGITS), torch.from_numpy(CLASSES)))
    assert list(measured(LOGITS, CLASSES, loss).values()) == [pytest.approx(expected, rel=1e-6)]


SKLEARN: list[tuple[Any, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]] = [
    (sklearn.metrics.accuracy_score, LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    (sklearn.metrics.accuracy_score, LOGITS, ONE_HOT, (CLASSES, LOGITS.argmax(1))),
    (sklearn.metrics.accuracy_score, LOGITS, CLASSES[:, None], (CLASSES, LOGITS.argmax(1))),
    (functools.partial(sklearn.metrics.f1_score, average="macro"), LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    (sklearn.metrics.balanced_accuracy_score, LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    (sklearn.metrics.cohen_kappa_score, LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    (sklearn.metrics.f1_score, SIGMOID, BINARY, (BINARY[:, 0], SIGMOID[:, 0] > 0.5)),
    (sklearn.metrics.f1_score, SIGMOID * 4 - 2, BINARY[:, 0], (BINARY[:, 0], SIGMOID[:, 0] > 0.5)),
    (sklearn.metrics.roc_auc_score, SIGMOID, BINARY, (BINARY[:, 0], SIGMOID[:, 0])),
    (sklearn.metrics.roc_auc_score, softmax(LOGITS[:, :2]), BINARY, (BINARY[:, 0], softmax(LOGITS[:, :2])[:, 1])),
    (
        functools.partial(sklearn.metrics.roc_auc_score, multi_class="ovr"),
        softmax(LOGITS),
        ONE_HOT,
        (CLASSES, softmax(LOGITS)),
    ),
    (sklearn.metrics.log_loss, softmax(LOGITS), ONE_HOT, (CLASSES, softmax(LOGITS))),
    (sklearn.metrics.brier_score_loss, SIGMOID, BINARY, (BINARY[:, 0], SIGMOID[:, 0])),
    (sklearn.metrics.r2_score, SIGMOID, VALUES, (VALUES, SIGMOID)),
    (sklearn.metrics.r2_score, SIGMOID, VALUES[:, 0], (VALUES, SIGMOID)),
    (sklearn.metrics.mean_absolute_percentage_error, SIGMOID, VALUES, (VALUES, SIGMOID)),
]


@pytest.mark.parametrize(("metric", "outputs", "targets", "taken"), SKLEARN)
def test_sklearn_functions_give_their_own_number(metric: Any, outputs: np.ndarray, targets: Any, taken: Any) -> None:
    expected = float(metric(*taken))
    assert list(measured(outputs, targets, metric).values()) == [pytest.approx(expected, rel=1e-6)]


@pytest.mark.parametrize(
    ("metric", "outputs", "targets", "error", "said"),
    [
        (sklearn.metrics.confusion_matrix, LOGITS, CLASSES, gw.DataError, "not one number"),
        (sklearn.metrics.classification_report, LOGITS, CLASSES, gw.DataError, "not one number"),
        (sklearn.metrics.silhouette_score, LOGITS, CLASSES, gw.DataError, "no targets and outputs"),
        (sklearn.metrics.roc_auc_score, LOGITS, CLASSES, gw.DataError, "of sklearn does not take outputs of shape"),
        (sklearn.metrics.accuracy_score, LOGITS, VALUES, gw.DataError, "takes classes"),
        (sklearn.metrics.get_scorer("accuracy"), LOGITS, CLASSES, gw.SettingError, "calls an estimator"),
        (torchmetrics.ConfusionMatrix("multiclass", num_classes=4), LOGITS, CLASSES, gw.DataError, "not one number"),
        (torchmetrics.Accuracy("multiclass", num_classes=2), LOGITS, CLASSES, gw.DataError, "of torchmetrics does not"),
        (nn.CrossEntropyLoss(reduction="none"), LOGITS, CLASSES, gw.DataError, "not one number"),
        (torchmetrics.MeanSquaredError, LOGITS, CLASSES, gw.SettingError, "is a class"),
        ([lambda o, t: 1.0, lambda o, t: 2.0], LOGITS, CLASSES, gw.SettingError, "two are called '<lambda>'"),
    ],
)
def test_what_gives_no_number_is_refused(metric: Any, outputs: Any, targets: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        measured(outputs, targets, metric)
