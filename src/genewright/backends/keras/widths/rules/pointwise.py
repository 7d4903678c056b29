"""Layers and operations that look at every element on its own."""

from __future__ import annotations

import numpy as np

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.reading import Step, Value, rule
from genewright.backends.keras.widths.rules.dense import activated
from genewright.widths.axes import size_of

_LAYERS = (
    "ReLU", "LeakyReLU", "ELU", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise",
    "GaussianDropout", "AlphaDropout", "Identity", "ActivityRegularization", "Masking",
)  # fmt: skip
_OPERATIONS = (
    "Relu", "Relu6", "Sigmoid", "HardSigmoid", "Silu", "HardSilu", "Gelu", "Elu", "Selu", "Tanh", "HardTanh",
    "Softplus", "Softsign", "LeakyRelu", "Abs", "Absolute", "Negative", "Square", "Sqrt", "Exp", "Clip", "Identity",
    "StopGradient",
)  # fmt: skip
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


def same(step: Step) -> list[Value]:
    """Return the input's axes."""
    return [step.inputs[0]]


rule(*(getattr(keras.layers, name) for name in _LAYERS))(same)


@rule(keras.layers.Activation)
def activation(step: Step) -> list[Value]:
    """Apply a function."""
    activated(step, step.inputs[0].axes[-1])
    return [step.inputs[0]]


@rule(keras.layers.Softmax)
def softmax(step: Step) -> list[Value]:
    """Normalise over an axis."""
    for place in step.places(step.inputs[0]):
        step.mix(step.inputs[0].axes[place], "softmax runs over it")
    return [step.inputs[0]]


@rule(keras.layers.PReLU)
def prelu(step: Step) -> list[Value]:
    """Apply a slope a unit; over shared axes there is one."""
    x = step.inputs[0]
    for position, axis in enumerate(x.axes[1:]):
        slopes = step.parameter("alpha") or []
        if size_of(slopes[position]) == size_of(axis):
            step.carry("alpha", axis, position)
        else:
            step.pin(slopes[position], "one slope is shared along it")
    return [x]


@rule(keras.layers.Rescaling)
def rescaling(step: Step) -> list[Value]:
    """Multiply and add numbers."""
    x = step.inputs[0]
    if np.size(step.layer.scale) > 1 or np.size(step.layer.offset) > 1:
        step.pin(x.axes[-1], "there is a number for each in its config")
    return [x]


@rule(keras.layers.Normalization)
def normalization(step: Step) -> list[Value]:
    """Subtract means and divide by spreads that are part of the layer."""
    for axis in step.inputs[0].axes[1:]:
        step.pin(axis, "there are statistics for each in the layer")
    return [step.inputs[0]]


@rule(*(getattr(keras.layers, name) for name in _MERGES))
def merge(step: Step) -> list[Value]:
    """Combine tensors element by element, with broadcasting."""
    rank = max(len(value.axes) for value in step.inputs)
    if any(len(value.axes) != rank for value in step.inputs):
        return step.pinned("it combines tensors of different ranks")
    axes = list(step.inputs[0].axes)
    for value in step.inputs[1:]:
        for place, axis in enumerate(value.axes):
            if size_of(axes[place]) == 1 and place:
                axes[place] = axis
            elif size_of(axis) != 1 or not place:
                step.join(axes[place], axis)
    return [Value(tuple(axes))]


def operations() -> None:
    """Register the operations of keras.ops that a graph may hold beside layers."""
    found: dict[str, type] = {}
    waiting = [keras.Operation]
    while waiting:
        kind = waiting.pop()
        for child in kind.__subclasses__():
            waiting.append(child)
            if not issubclass(child, keras.layers.Layer) and child.__module__.startswith("keras."):
                found.setdefault(child.__name__, child)
    for name in _OPERATIONS:
        if name in found:
            rule(found[name])(_unary)
    for name in ("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum"):
        if name in found:
            rule(found[name])(_binary)


def _unary(step: Step) -> list[Value]:
    return [step.inputs[0]] if len(step.inputs) == 1 else step.pinned("it takes several tensors")


def _binary(step: Step) -> list[Value]:
    """Combine with another tensor, or with a number; an array in the graph pins."""
    if len(step.inputs) == 1:
        others = [a for a in (*step.args, *step.keywords.values()) if not isinstance(a, Value)]
        if all(np.size(other) == 1 for other in others if other is not None):
            return [step.inputs[0]]
        return step.pinned("an array in the graph has this length")
    return merge(step)


operations()
