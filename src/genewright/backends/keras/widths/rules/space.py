"""Layers that work on places and leave channels alone; views."""

from __future__ import annotations

from genewright.backends.keras.library import class_of, keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.widths.axes import Axis, product
from genewright.widths.reasons import Cause
from genewright.widths.unification import UnificationError, split

_POOLS = [f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)]
_PADS = [f"{kind}{n}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for n in (1, 2, 3)]
_ADAPTIVE = [f"Adaptive{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)]
_OTHERS = ["Resizing", "CenterCrop"]
_GLOBAL = [f"Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)]


@rule(*(getattr(keras.layers, name) for name in (*_POOLS, *_PADS, *_ADAPTIVE, *_OTHERS)))
def places(step: RuleContext) -> list[Value]:
    """Change places; channels stay."""
    x = step.inputs[0]
    return step.shaped(x, x.axes[step.channel(x)])


@rule(*(getattr(keras.layers, name) for name in _GLOBAL))
def pooled(step: RuleContext) -> list[Value]:
    """Take all places together."""
    x = step.inputs[0]
    channel = step.channel(x)
    if step.layer.keepdims:
        return step.shaped(x, x.axes[channel])
    for place, axis in enumerate(x.axes):
        if place not in (0, channel):
            step.mix(axis, Cause.REDUCED, class_of(step.layer).__name__)
    return [Value((x.axes[0], x.axes[channel]))]


@rule(keras.layers.Flatten)
def flatten(step: RuleContext) -> list[Value]:
    """Lay all axes but the batch one after the other; channels last."""
    x = step.inputs[0]
    rest = list(x.axes[1:])
    if step.layer.data_format == "channels_first" and len(rest) > 1:
        rest = [*rest[1:], rest[0]]
    return [Value((x.axes[0], product(rest) if rest else step.fresh(1)))]


@rule(keras.layers.Reshape)
def reshape(step: RuleContext) -> list[Value]:
    """Cut the axes anew; lengths in the config follow."""
    x = step.inputs[0]
    rest: Axis = product(x.axes[1:])
    shape = step.shapes[0][1:]
    if any(size is None for size in shape):
        return step.pinned(Cause.CALLED_OTHERWISE, "its shape is not known")
    axes: list[Axis] = []
    try:
        for size in shape[:-1]:
            head, rest = split(rest, int(size or 0))
            axes.append(head)
    except UnificationError:
        return step.pinned(Cause.RESHAPED)
    axes.append(rest)
    for position, (axis, wanted) in enumerate(zip(axes, step.layer.target_shape, strict=True)):
        if wanted != -1:
            step.bind(f"target_shape.{position}", axis)
    return [Value((x.axes[0], *axes))]


@rule(keras.layers.Permute)
def permute(step: RuleContext) -> list[Value]:
    """Exchange axes."""
    x = step.inputs[0]
    return [Value((x.axes[0], *(x.axes[int(place)] for place in step.layer.dims)))]


@rule(keras.layers.RepeatVector)
def repeat(step: RuleContext) -> list[Value]:
    """Repeat a vector."""
    x = step.inputs[0]
    return [Value((x.axes[0], step.fresh(step.layer.n), x.axes[1]))]
