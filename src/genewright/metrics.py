"""Metrics of outputs against targets: named ones, summed up batch by batch, and functions of one's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import DataError, SettingError
from genewright.names import did_you_mean

Numbers = NDArray[Any]
MetricFunction = Callable[[Any, Numbers], float]
Metrics = str | MetricFunction | Iterable[str] | Mapping[str, str | MetricFunction]


class Gauge(ABC):
    """Measures outputs against targets over all batches."""

    @abstractmethod
    def add(self, outputs: list[Numbers], targets: Numbers) -> None:
        """Take in one batch."""

    @abstractmethod
    def value(self) -> float:
        """Return the metric of all batches so far."""


class Mean(Gauge):
    """The mean, in float64, of a score that each target has for itself; it keeps no outputs."""

    def __init__(self, score: Callable[[Numbers, Numbers], Numbers]) -> None:
        self._score = score
        self._sum = 0.0
        self._count = 0

    def add(self, outputs: list[Numbers], targets: Numbers) -> None:
        scores = self._score(outputs[0], targets)
        self._sum += float(scores.sum(dtype=np.float64))
        self._count += scores.size

    def value(self) -> float:
        return self._sum / self._count


class Whole(Gauge):
    """A function of all outputs and all targets at once, as the F1 score needs it; it keeps them until then."""

    def __init__(self, function: MetricFunction) -> None:
        self._function = function
        self._outputs: list[list[Numbers]] = []
        self._targets: list[Numbers] = []

    def add(self, outputs: list[Numbers], targets: Numbers) -> None:
        self._outputs.append(outputs)
        self._targets.append(targets)

    def value(self) -> float:
        outputs = [np.concatenate(parts) for parts in zip(*self._outputs, strict=True)]
        return float(self._function(outputs[0] if len(outputs) == 1 else outputs, np.concatenate(self._targets)))


def predictions(outputs: Numbers) -> NDArray[np.int64] | None:
    """Return the class with the largest output along the last axis, or None where there is no class axis.

    A class axis is a last axis, after the batch's, of at least two entries. A row that holds NaN predicts nothing: -1.
    """
    if outputs.ndim < 2 or outputs.shape[-1] < 2 or outputs.dtype.kind not in "fiu":
        return None
    chosen = outputs.argmax(axis=-1).astype(np.int64)
    return np.where(np.isnan(outputs).any(axis=-1), -1, chosen)


def accuracy(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score 1 where the largest output along the last axis is the target's class, else 0."""
    found = predictions(outputs)
    if found is None:
        raise DataError(f"accuracy: needs outputs with a class axis, the last; received the shape {outputs.shape}.")
    _check_classes("accuracy", outputs, targets)
    return found == targets


def mse(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score (output - target)^2, in float64."""
    return _difference("mse", outputs, targets) ** 2


def mae(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score |output - target|, in float64."""
    return np.abs(_difference("mae", outputs, targets))


def cross_entropy(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score log(sum(exp(outputs))) - outputs[target], in nats and float64; the outputs are logits."""
    _check_classes("cross_entropy", outputs, targets)
    logits = outputs.astype(np.float64)
    if targets.size and not 0 <= targets.min() <= targets.max() < logits.shape[-1]:
        raise DataError(f"cross_entropy: targets are classes from 0 to {logits.shape[-1] - 1}.")
    with np.errstate(invalid="ignore"):
        logits = logits - logits.max(axis=-1, keepdims=True)
        own = np.take_along_axis(logits, targets[..., None].astype(np.int64), axis=-1)[..., 0]
        return np.log(np.exp(logits).sum(axis=-1)) - own


NAMED: Mapping[str, Callable[[Numbers, Numbers], Numbers]] = {
    "accuracy": accuracy,
    "cross_entropy": cross_entropy,
    "mae": mae,
    "mse": mse,
}


def chosen(metrics: Metrics | None) -> dict[str, str | MetricFunction] | None:
    """Return metrics by name, or None where the default decides.

    Raises:
        SettingError: No metric has this name, or something is neither a name nor a function.
    """
    if metrics is None:
        return None
    if isinstance(metrics, str):
        named: dict[str, Any] = {metrics: metrics}
    elif isinstance(metrics, Mapping):
        named = dict(cast(Mapping[str, Any], metrics))
    elif callable(metrics):
        named = {str(getattr(metrics, "__name__", "metric")): metrics}
    else:
        named = {str(metric): metric for metric in metrics}
    for metric in named.values():
        if isinstance(metric, str):
            if metric not in NAMED:
                raise SettingError(f"metrics: no metric is called {metric!r}. {did_you_mean(metric, NAMED)}")
        elif not callable(metric):
            raise SettingError(
                f"metrics: expected a name ({', '.join(NAMED)}), a function (outputs, targets) -> float, or a dict of "
                f"such; received {metric!r}."
            )
    return cast("dict[str, str | MetricFunction]", named)


def default(outputs: Numbers, targets: Numbers | None) -> dict[str, str | MetricFunction]:
    """Return accuracy where the targets are classes of these outputs, else nothing."""
    fits = targets is not None and targets.dtype.kind in "iu" and targets.shape == outputs.shape[:-1]
    return {"accuracy": "accuracy"} if fits and predictions(outputs) is not None else {}


def gauge(metric: str | MetricFunction) -> Gauge:
    """Return a fresh gauge for a metric."""
    return Mean(NAMED[metric]) if isinstance(metric, str) else Whole(metric)


def _check_classes(name: str, outputs: Numbers, targets: Numbers) -> None:
    if targets.dtype.kind not in "iu" or targets.shape != outputs.shape[:-1]:
        raise DataError(
            f"{name}: needs integer targets of shape {outputs.shape[:-1]}, one class for each row of the outputs; "
            f"received {targets.dtype} of shape {targets.shape}."
        )


def _difference(name: str, outputs: Numbers, targets: Numbers) -> Numbers:
    if outputs.shape != targets.shape:
        raise DataError(f"{name}: the outputs have shape {outputs.shape}, the targets {targets.shape}; reshape one.")
    with np.errstate(invalid="ignore"):
        return outputs.astype(np.float64) - targets.astype(np.float64)
