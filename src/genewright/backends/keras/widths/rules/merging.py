"""Layers that put several tensors together."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.widths.axes import Axis, size_of, total
from genewright.widths.reasons import Cause

_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


@rule(*(getattr(keras.layers, name) for name in _MERGES))
def merge(step: RuleContext) -> list[Value]:
    """Combine tensors element by element, with broadcasting."""
    rank = max(len(value.axes) for value in step.inputs)
    if any(len(value.axes) != rank for value in step.inputs):
        return step.pinned(Cause.CALLED_OTHERWISE, "it combines tensors of different ranks")
    axes = list(step.inputs[0].axes)
    for value in step.inputs[1:]:
        for place, axis in enumerate(value.axes):
            if size_of(axes[place]) == 1 and place:
                axes[place] = axis
            elif size_of(axis) != 1 or not place:
                step.join(axes[place], axis)
    return [Value(tuple(axes))]


@rule(keras.layers.Concatenate)
def concatenate(step: RuleContext) -> list[Value]:
    """Lay tensors one after the other."""
    return [laid(step, step.inputs, int(step.layer.axis))]


@rule(keras.layers.Dot)
def dot(step: RuleContext) -> list[Value]:
    """Multiply two tensors and sum over one axis of each."""
    first, second = step.inputs
    axes = step.layer.axes
    places = [axes, axes] if isinstance(axes, int) else list(axes)
    one, other = (int(place) % len(value.axes) for place, value in zip(places, step.inputs, strict=True))
    step.join(first.axes[one], second.axes[other])
    step.mix(first.axes[one], Cause.CONTRACTED, "a dot product")
    made = [axis for place, axis in enumerate(first.axes) if place != one]
    made += [axis for place, axis in enumerate(second.axes) if place not in (0, other)]
    return [Value(tuple(made) if len(made) > 1 else (*made, step.fresh(1)))]


def laid(step: RuleContext, values: list[Value], axis: int) -> Value:
    """Return tensors laid one after the other along an axis."""
    rank = len(values[0].axes)
    axes: list[Axis] = []
    for place in range(rank):
        parts = [value.axes[place] for value in values]
        if place == axis % rank:
            axes.append(total(parts))
            continue
        for part in parts[1:]:
            if size_of(part) == size_of(parts[0]):
                step.join(parts[0], part)
        axes.append(parts[0])
    return Value(tuple(axes))
