"""Layers that look at every element on its own."""

from __future__ import annotations

import numpy as np

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.backends.keras.widths.rules.activation import activated
from genewright.widths.axes import size_of
from genewright.widths.reasons import Cause

_LAYERS = (
    "ReLU", "LeakyReLU", "ELU", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise",
    "GaussianDropout", "AlphaDropout", "Identity", "ActivityRegularization",
)  # fmt: skip


def same(step: RuleContext) -> list[Value]:
    """Return the input's axes."""
    return [step.inputs[0]]


rule(*(getattr(keras.layers, name) for name in _LAYERS))(same)


@rule(keras.layers.Activation)
def activation(step: RuleContext) -> list[Value]:
    """Apply a function."""
    return activated(step, [step.inputs[0]])


@rule(keras.layers.Softmax)
def softmax(step: RuleContext) -> list[Value]:
    """Normalise over an axis."""
    for place in step.places(step.inputs[0]):
        step.mix(step.inputs[0].axes[place], Cause.SOFTMAX, "softmax")
    return [step.inputs[0]]


@rule(keras.layers.Masking)
def masking(step: RuleContext) -> list[Value]:
    """Leave out the places where all units are the same value."""
    step.mix(step.inputs[0].axes[-1], Cause.MASKED)
    return [step.inputs[0]]


@rule(keras.layers.PReLU)
def prelu(step: RuleContext) -> list[Value]:
    """Apply a slope a unit; over shared axes there is one."""
    x = step.inputs[0]
    for position, axis in enumerate(x.axes[1:]):
        slopes = step.parameter("alpha") or []
        if size_of(slopes[position]) == size_of(axis):
            step.carry("alpha", axis, position)
        else:
            step.pin(slopes[position], Cause.SHARED, "slope")
    return [x]


@rule(keras.layers.Rescaling)
def rescaling(step: RuleContext) -> list[Value]:
    """Multiply and add numbers."""
    x = step.inputs[0]
    for key in ("scale", "offset"):
        step.bind_list(key, getattr(step.layer, key), x.axes[-1])
    return [x]


@rule(keras.layers.Normalization)
def normalization(step: RuleContext) -> list[Value]:
    """Subtract means and divide by spreads: statistics that were adapted follow, and so does a list in the config."""
    x = step.inputs[0]
    places = sorted(step.places(x))
    for position, place in enumerate(places):
        for attribute in ("mean", "variance"):
            step.carry(attribute, x.axes[place], position)
            given = getattr(step.layer, f"input_{attribute}")
            if len(places) == 1:
                step.bind_list(attribute, given, x.axes[place])
            elif given is not None and np.ndim(given):
                step.pin(x.axes[place], Cause.CONSTANT, "statistics over several axes in the config")
    return [x]
