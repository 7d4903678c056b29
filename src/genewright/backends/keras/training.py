"""Compile settings and the optimizer's state, carried from a model to the one made in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from genewright.backends.keras.library import keras
from genewright.backends.keras.network import array_of


def carry_training(old: Any, new: Any) -> None:
    """Compile `new` as `old` was compiled, with an optimizer of its own that has the old one's state.

    State is carried for the variables whose shape is the same; the others start at zero. Losses and metric functions
    are shared; metric objects are made again, with nothing counted.

    A class with a `compile` of its own is compiled by it where that takes Keras's own arguments, else not at all.
    """
    if not getattr(old, "compiled", False):
        return
    settings = dict(old._compile_config.config)
    optimizer = old.optimizer
    settings["optimizer"] = type(optimizer).from_config(optimizer.get_config())
    for key in ("metrics", "weighted_metrics"):
        settings[key] = keras.tree.map_structure(_fresh_metric, settings[key])
    try:
        new.compile(**settings)
    except TypeError:
        if type(new).compile is keras.Model.compile:
            raise
        return
    if optimizer.built:
        new.optimizer.build(new.trainable_variables)
        _carry(optimizer.variables, new.optimizer.variables)


def _carry(old: Iterable[Any], new: Iterable[Any]) -> None:
    for source, target in zip(old, new, strict=True):
        if tuple(source.shape) == tuple(target.shape):
            target.assign(np.array(array_of(source)))


def _fresh_metric(metric: Any) -> Any:
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric
