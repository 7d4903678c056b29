"""Operations of keras.ops that a graph holds beside layers: x + y, x[:, 0], keras.ops.mean(x, axis=1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import Rule, RuleContext, Value, rule
from genewright.backends.keras.widths.rules.merging import laid, merge
from genewright.backends.keras.widths.rules.products import einsum, matmul
from genewright.widths.axes import Axis, pin, product, size_of
from genewright.widths.reasons import Cause
from genewright.widths.unification import UnificationError, split

_UNARY = (
    "Relu", "Relu6", "Sigmoid", "HardSigmoid", "Silu", "HardSilu", "Gelu", "Elu", "Selu", "Tanh", "HardTanh",
    "Softplus", "Softsign", "LeakyRelu", "Abs", "Absolute", "Negative", "Square", "Sqrt", "Rsqrt", "Exp", "Log",
    "Log1p", "Clip", "Identity", "StopGradient", "Cast", "Sin", "Cos", "LogicalNot",
)  # fmt: skip
_BINARY = (
    "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power", "Equal", "NotEqual",
    "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr",
)  # fmt: skip
_LITERAL = (Cause.LITERAL_SIZE, "keras.ops", "keras.layers.Reshape follows a width")
_REDUCING = {
    **dict.fromkeys(("Mean", "Var", "Std", "Moments"), Cause.AVERAGED),  # keras.ops divides a variance by all entries
    "Sum": Cause.SUMMED,
    **dict.fromkeys(("Max", "Min", "Amax", "Amin", "Prod", "Any", "All"), Cause.REDUCED),
}
_ACROSS = {
    **dict.fromkeys(("Softmax", "LogSoftmax"), Cause.SOFTMAX),
    **dict.fromkeys(("Cumsum", "Sort"), Cause.ORDERED),
    "Normalize": Cause.NORMALISED,
}


def unary(step: RuleContext) -> list[Value]:
    """Look at every element on its own."""
    return (
        [step.inputs[0]] if len(step.inputs) == 1 else step.pinned(Cause.CALLED_OTHERWISE, "it takes several tensors")
    )


def binary(step: RuleContext) -> list[Value]:
    """Combine with another tensor, or with a number; an array in the graph pins."""
    if len(step.inputs) == 1:
        others = [a for a in (*step.args, *step.keywords.values()) if not isinstance(a, Value)]
        if all(np.size(other) == 1 for other in others if other is not None):
            return [step.inputs[0]]
        return step.pinned(Cause.CONSTANT, "an array in the graph")
    return merge(step)


def reducing(step: RuleContext) -> list[Value]:
    """Take all along some axes together."""
    x, operation = step.inputs[0], step.layer
    name = type(operation).__name__
    gone = _places(operation.axes if name == "Moments" else operation.axis, x)
    for place in gone:
        step.mix(x.axes[place], _REDUCING[name], name.lower())
    keep = operation.keepdims
    kept = [step.fresh(1) if p in gone else axis for p, axis in enumerate(x.axes) if p not in gone or keep]
    return [Value(tuple(kept))] * len(step.shapes)


def across(step: RuleContext) -> list[Value]:
    """Return as many, each of which depends on all along an axis."""
    name = type(step.layer).__name__
    for place in _places(getattr(step.layer, "axis", None), step.inputs[0]):
        step.mix(step.inputs[0].axes[place], _ACROSS[name], name.lower())
    return [step.inputs[0]]


def joined(step: RuleContext) -> list[Value]:
    """Lay tensors one after the other."""
    return [laid(step, step.inputs, int(step.layer.axis))]


def transposed(step: RuleContext) -> list[Value]:
    """Exchange axes."""
    x = step.inputs[0]
    order = step.layer.axes or tuple(reversed(range(len(x.axes))))
    return [Value(tuple(x.axes[int(place)] for place in order))]


def expanded(step: RuleContext) -> list[Value]:
    """Put in axes of length one."""
    return _with_ones(step, step.layer.axis)


def squeezed(step: RuleContext) -> list[Value]:
    """Leave out axes of length one."""
    x, shape = step.inputs[0], step.shapes[0]
    given = step.layer.axis
    if given is None or len(x.axes) - len(shape) != len(_places(given, x)):
        return step.pinned(Cause.SQUEEZED)
    gone = _places(given, x)
    for place in gone:
        step.pin(x.axes[place], Cause.SQUEEZED)
    return [Value(tuple(axis for place, axis in enumerate(x.axes) if place not in gone))]


def indexed(step: RuleContext) -> list[Value]:
    """Take whole axes and single positions, as x[:, 0]; a part of an axis pins it."""
    x = step.inputs[0]
    key = step.args[1] if len(step.args) > 1 else step.keywords.get("key")
    keys: list[Any] = list(cast("tuple[Any, ...]", key)) if isinstance(key, tuple) else [key]
    if keys.count(Ellipsis) > 1 or not all(k is None or k is Ellipsis or isinstance(k, int | slice) for k in keys):
        return step.pinned(Cause.CALLED_OTHERWISE, "it is indexed by more than numbers and slices")
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    at = keys.index(Ellipsis)
    taken = sum(k is not None and k is not Ellipsis for k in keys)
    keys[at : at + 1] = [slice(None)] * (len(x.axes) - taken)
    axes: list[Axis] = []
    place = 0
    for k in keys:
        if k is None:
            axes.append(step.fresh(1))
            continue
        if k == slice(None):
            axes.append(x.axes[place])
        else:
            step.pin(x.axes[place], Cause.TAKEN, "a part")
            if isinstance(k, slice):
                axes.append(step.fresh(step.shapes[0][len(axes)]))
        place += 1
    return [Value(tuple(axes))]


def reshaped(step: RuleContext) -> list[Value]:
    """Cut the axes behind the batch anew; the lengths that the graph says as numbers are pinned."""
    x, shape = step.inputs[0], step.shapes[0]
    given: Any = step.layer.newshape
    wanted = cast("Sequence[int]", given) if isinstance(given, list | tuple) else ()
    rest: Axis = product(x.axes[1:])
    sizes = [int(size or 0) for size in shape[1:]]
    batch = bool(sizes) and (shape[0] or 1) == size_of(x.axes[0])
    if not batch or len(wanted) != len(shape) or math.prod(sizes) != size_of(rest):
        return literal(step)
    axes: list[Axis] = []
    try:
        for size in sizes[:-1]:
            head, rest = split(rest, size)
            axes.append(head)
    except UnificationError:
        return literal(step)
    axes.append(rest)
    for axis, size in zip(axes, wanted[1:], strict=True):
        if size != -1:
            pin(axis, step.reason(*_LITERAL))
    return [Value((x.axes[0], *axes))]


def literal(step: RuleContext) -> list[Value]:
    """Pin the lengths that an operation in the graph says as numbers."""
    return step.pinned(*_LITERAL)


def _with_ones(step: RuleContext, given: Any) -> list[Value]:
    axes = list(step.inputs[0].axes)
    places = [given] if isinstance(given, int) else list(given)
    rank = len(axes) + len(places)
    for place in sorted(int(p) % rank for p in places):
        axes.insert(place, step.fresh(1))
    return [Value(tuple(axes))]


def _places(given: Any, value: Value) -> list[int]:
    if given is None:
        return list(range(len(value.axes)))
    every = cast("list[Any]", given) if isinstance(given, list | tuple) else [given]
    return [int(place) % len(value.axes) for place in every]


def register() -> None:
    """Register the operations that this version of Keras has."""
    found: dict[str, type] = {}
    waiting = [keras.Operation]
    while waiting:
        kind = waiting.pop()
        for child in kind.__subclasses__():
            waiting.append(child)
            if not issubclass(child, keras.layers.Layer) and child.__module__.startswith("keras."):
                found.setdefault(child.__name__, child)
    rules: dict[str, Rule] = dict.fromkeys(_UNARY, unary)
    rules |= dict.fromkeys(_BINARY, binary) | dict.fromkeys(_REDUCING, reducing) | dict.fromkeys(_ACROSS, across)
    rules |= {"Concatenate": joined, "Transpose": transposed, "ExpandDims": expanded, "Squeeze": squeezed}
    rules |= {
        "GetItem": indexed,
        "Reshape": reshaped,
        "Matmul": matmul,
        "Einsum": einsum,
        "BroadcastTo": literal,
        "Tile": literal,
        "Split": literal,
    }
    for name, function in rules.items():
        if name in found:
            rule(found[name])(function)


register()
