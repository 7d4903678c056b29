"""Metrics of other libraries, called as their library calls them: keras, torchmetrics, torch, scikit-learn.

They differ in the order of their arguments, in whether they take outputs or predicted classes, and in whether they keep
a state. None of these libraries is imported here: whoever hands over its object has done that.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from genewright.errors import DataError, SettingError
from genewright.targets import Numbers, Scale, as_classes, beside

Function = Callable[[Numbers, Numbers], Any]

_KERAS = ("keras", "tf_keras")
_TARGETS = ("y_true", "y1", "labels_true")
_SCORES = ("y_score", "y_proba", "y_prob", "pred_decision")


def library_of(metric: Any) -> str:
    """Return the library that a metric comes from; "" for a function of the user's.

    A subclass of a library's metric is that library's, a `functools.partial` that of its function.
    """
    while isinstance(metric, functools.partial):
        metric = cast("functools.partial[Any]", metric).func
    if inspect.isroutine(metric):
        return str(getattr(metric, "__module__", None) or "").partition(".")[0]
    roots = [cls.__module__.partition(".")[0] for cls in type(metric).__mro__]
    return next((root for root in roots if root in (*_KERAS, "torchmetrics", "sklearn")), roots[0])


def name_of(metric: Any) -> str:
    """Return what to call a metric that came without a name."""
    while isinstance(metric, functools.partial):
        metric = cast("functools.partial[Any]", metric).func
    own = getattr(metric, "__name__", None) or getattr(metric, "name", None)
    return own if isinstance(own, str) else type(metric).__name__


def members_of(metrics: Any) -> dict[str, Any] | None:
    """Return the metrics of a torchmetrics.MetricCollection by name; None for anything else."""
    is_collection = library_of(metrics) == "torchmetrics" and hasattr(metrics, "items")
    return {str(name): metric for name, metric in metrics.items()} if is_collection else None


def refuse_unusable(metric: Any) -> None:
    """Refuse what could be called, but is no metric.

    Raises:
        SettingError: It is a class, or a scorer of scikit-learn.
    """
    if isinstance(metric, type):
        raise SettingError(f"metrics: {metric.__name__} is a class; make one of it: {metric.__name__}().")
    if library_of(metric) == "sklearn" and not inspect.isroutine(metric) and not isinstance(metric, functools.partial):
        raise SettingError(
            f"metrics: {metric!r} calls an estimator, and here are outputs. Give a function of sklearn.metrics, or "
            "(outputs, targets) -> float."
        )


def adapted(metric: Any, scale: Scale) -> Function:
    """Return a function (outputs, targets) that gives the number that the metric's own library gives.

    Args:
        metric: A function or an object of a library, or a function of the user's, which is called as it is.
        scale: Of the outputs of single units, where predictions are asked for.
    """
    library = library_of(metric)
    if library in _KERAS:
        return functools.partial(_keras_object if hasattr(metric, "update_state") else _keras_function, metric)
    if library == "torchmetrics" and hasattr(metric, "update"):
        return functools.partial(_torchmetrics, metric)
    if library in ("torchmetrics", "torch"):
        return lambda outputs, targets: metric(_tensor(outputs), _tensor(targets))
    if library == "sklearn":
        return functools.partial(_sklearn, metric, scale)
    return metric


def number(name: str, value: Any) -> float:
    """Return what a metric gave as a float.

    Raises:
        DataError: It is no single number.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
        if array.size == 1 and array.dtype.kind in "biuf":
            return float(array.reshape(()))
    except (TypeError, ValueError):
        pass
    given = f"an array of shape {np.shape(value)}" if hasattr(value, "shape") else f"a {type(value).__name__}"
    raise DataError(f"compare: the metric {name!r} gives {given}, not one number. Let it average: average='macro'.")


def _keras_object(metric: Any, outputs: Numbers, targets: Numbers) -> Any:
    fresh: Any = metric.__class__.from_config(metric.get_config())  # the user's own keeps its state
    fresh.update_state(targets, outputs)
    return _plain(fresh.result())


def _keras_function(metric: Any, outputs: Numbers, targets: Numbers) -> Any:
    value = _plain(metric(targets, outputs))  # of a function for each sample, as Keras averages them
    return value.mean(dtype=np.float64) if hasattr(value, "mean") else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _torchmetrics(metric: Any, outputs: Numbers, targets: Numbers) -> Any:
    fresh = copy.deepcopy(metric).to("cpu")
    fresh.reset()
    fresh.update(_tensor(outputs), _tensor(targets))
    return fresh.compute()


def _tensor(values: Numbers) -> Any:
    return sys.modules["torch"].from_numpy(np.ascontiguousarray(values))


def _sklearn(metric: Any, scale: Scale, outputs: Numbers, targets: Numbers) -> Any:
    function = metric
    while isinstance(function, functools.partial):
        function = cast("functools.partial[Any]", function).func
    taken = list(inspect.signature(function).parameters)[:2]
    if len(taken) < 2 or taken[0] not in _TARGETS:
        raise DataError(f"compare: sklearn's {function.__name__} takes {taken}, no targets and outputs.")
    if taken[1] in _SCORES or function.__name__ == "log_loss":
        return metric(*_scores(outputs, targets))
    if "_regression" in function.__module__:
        wanted = beside(outputs, targets)
        return metric(targets if wanted is None else wanted, outputs)
    return metric(*_labels(outputs, targets, scale, function.__name__))


def _scores(outputs: Numbers, targets: Numbers) -> tuple[Numbers, Numbers]:
    """Return (targets, scores) as scikit-learn takes them: of two classes that of the second."""
    read = as_classes(outputs, targets)
    if read is not None:
        outputs, targets = read
        if outputs.shape[-1] == 2 and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3):
            outputs = outputs[..., 1]
        return targets, outputs
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    wanted = beside(outputs, targets)
    return (targets if wanted is None else wanted), outputs


def _labels(outputs: Numbers, targets: Numbers, scale: Scale, name: str) -> tuple[Numbers, Numbers]:
    """Return (targets, predictions) as class numbers, or as zeros and ones."""
    read = as_classes(outputs, targets)
    if read is not None:
        return read[1].reshape(-1), read[0].argmax(axis=-1).reshape(-1)
    wanted = beside(outputs, targets)
    if wanted is None:
        raise DataError(
            f"compare: sklearn's {name} takes classes, and targets of shape {targets.shape} beside outputs of shape "
            f"{outputs.shape} are none. Give a function (outputs, targets) -> float that calls it."
        )
    predicted = (outputs > scale.threshold).astype(np.int64)
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        return wanted[:, 0], predicted[:, 0]
    return wanted, predicted
