"""Metrics of outputs against targets: named ones, summed up batch by batch, and functions of one's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import DataError, GenewrightError, SettingError
from genewright.foreign_metrics import adapted, library_of, members_of, name_of, number, refuse_unusable
from genewright.interrupts import hearing
from genewright.names import did_you_mean
from genewright.targets import Numbers, Scale, as_classes, beside

FOREIGN = ("keras", "tf_keras", "torchmetrics", "torch", "sklearn")

MetricFunction = Callable[[Any, Numbers], Any]
Metrics = str | MetricFunction | Iterable[str | MetricFunction] | Mapping[str, str | MetricFunction]


_BETTER_HIGH = ("accuracy", "f1", "auc", "precision", "recall", "r2")
_BETTER_LOW = ("loss", "error", "entropy", "mse", "mae")


def better_high(name: str) -> bool | None:
    """Return whether a metric is better the higher it is, as its name tells; None where it does not.

    >>> better_high("accuracy"), better_high("mse"), better_high("weirdness")
    (True, False, None)
    """
    parts = name.lower()
    if any(word in parts for word in _BETTER_LOW):
        return False
    return True if any(word in parts for word in _BETTER_HIGH) else None


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
    """A function of all outputs and all targets at once, as the F1 score needs it; it keeps them until then.

    Args:
        name: What it is called.
        metric: A function (outputs, targets) -> float, or a metric of another library.
        scale: Is shown the outputs, and shared by both of a pair.
    """

    def __init__(self, name: str, metric: MetricFunction, scale: Scale) -> None:
        self._name = name
        self._scale = scale
        self._metric = metric
        self._outputs: list[list[Numbers]] = []
        self._targets: list[Numbers] = []

    def add(self, outputs: list[Numbers], targets: Numbers) -> None:
        self._outputs.append(outputs)
        self._targets.append(targets)
        if outputs[0].dtype.kind in "fiu":
            self._scale.look(outputs[0])

    @hearing
    def value(self) -> float:
        every: list[Any] = [np.concatenate(parts) for parts in zip(*self._outputs, strict=True)]
        targets = np.concatenate(self._targets)
        library = library_of(self._metric)
        outputs: Any = every[0] if len(every) == 1 or library in FOREIGN else every  # theirs measure one output
        try:
            found = adapted(self._metric, self._scale)(outputs, targets)
        except GenewrightError:
            raise
        except Exception as error:  # whatever another library's or the user's code raises
            if library not in FOREIGN:
                raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(
                f"compare: the metric {self._name!r} of {library} does not take outputs of shape {outputs.shape} and "
                f"targets of shape {targets.shape}: {lines[0]}"
            ) from error
        return number(self._name, found)


def predictions(outputs: Numbers) -> NDArray[np.int64] | None:
    """Return the class with the largest output along the last axis, or None where there is no class axis.

    A class axis is a last axis, after the batch's, of at least two entries. A row that holds NaN predicts nothing: -1.
    """
    if outputs.ndim < 2 or outputs.shape[-1] < 2 or outputs.dtype.kind not in "fiu":
        return None
    chosen = outputs.argmax(axis=-1).astype(np.int64)
    return np.where(np.isnan(outputs).any(axis=-1), -1, chosen)


def accuracy(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score 1 where the largest output along the class axis is the target's class, else 0."""
    logits, classes = _classes("accuracy", outputs, targets)
    found = predictions(logits)
    assert found is not None  # `_classes` gives outputs with a class axis
    return found == classes


def mse(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score (output - target)^2, in float64."""
    return _difference("mse", outputs, targets) ** 2


def mae(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score |output - target|, in float64."""
    return np.abs(_difference("mae", outputs, targets))


def cross_entropy(outputs: Numbers, targets: Numbers) -> Numbers:
    """Score log(sum(exp(outputs))) - outputs[target], in nats and float64; the outputs are logits.

    For targets that are distributions, the mean of the outputs under the target takes the place of outputs[target].
    """
    rows, classes = _classes("cross_entropy", outputs, targets)
    logits = rows.astype(np.float64)
    if classes.size and not 0 <= classes.min() <= classes.max() < logits.shape[-1]:
        raise DataError(f"cross_entropy: targets are classes from 0 to {logits.shape[-1] - 1}.")
    with np.errstate(invalid="ignore"):
        logits = logits - logits.max(axis=-1, keepdims=True)
        if targets.shape == outputs.shape:  # a distribution, of which one-hot rows are the simplest
            own = (targets * logits).sum(axis=-1)
        else:
            own = np.take_along_axis(logits, classes[..., None], axis=-1)[..., 0]
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
    members = members_of(metrics)
    if members is not None:
        named = members
    elif isinstance(metrics, Mapping):
        named = dict(cast(Mapping[str, Any], metrics))
    elif isinstance(metrics, str) or callable(metrics) or not isinstance(metrics, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        named = _by_own_name([metrics])
    else:
        named = _by_own_name(cast("Iterable[Any]", metrics))
    for metric in named.values():
        if isinstance(metric, str):
            if metric not in NAMED:
                raise SettingError(f"metrics: no metric is called {metric!r}. {did_you_mean(metric, NAMED)}")
        elif not callable(metric):
            raise SettingError(
                f"metrics: expected a name ({', '.join(NAMED)}), a function (outputs, targets) -> float, a metric of "
                f"keras, torchmetrics, torch or sklearn, or a dict of such; received {metric!r}."
            )
        else:
            refuse_unusable(metric)
    return cast("dict[str, str | MetricFunction]", named)


def gauges(name: str, metric: str | MetricFunction) -> tuple[Gauge, Gauge]:
    """Return fresh gauges for a metric of a model and of its mutant."""
    if isinstance(metric, str):
        return Mean(NAMED[metric]), Mean(NAMED[metric])
    scale = Scale()
    return Whole(name, metric, scale), Whole(name, metric, scale)


def _by_own_name(metrics: Iterable[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else name_of(metric)
        if name in named:
            raise SettingError(f"metrics: two are called {name!r}. Name them: metrics={{{name!r}: ..., ...}}.")
        named[name] = metric
    return named


def _classes(name: str, outputs: Numbers, targets: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    read = as_classes(outputs, targets)
    if read is None:
        raise DataError(
            f"{name}: needs outputs with a class axis and targets that are classes: whole numbers of shape "
            f"{outputs.shape[:-1]}, or one-hot rows of shape {outputs.shape}; received {targets.dtype} of shape "
            f"{targets.shape} beside outputs of shape {outputs.shape}."
        )
    return read


def _difference(name: str, outputs: Numbers, targets: Numbers) -> Numbers:
    wanted = beside(outputs, targets)
    if wanted is None:
        raise DataError(f"{name}: the outputs have shape {outputs.shape}, the targets {targets.shape}; reshape one.")
    with np.errstate(invalid="ignore"):
        return outputs.astype(np.float64) - wanted.astype(np.float64)
