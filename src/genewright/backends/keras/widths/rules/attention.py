"""Attention: heads change, and the size of values; that of queries and keys stays, for the scores depend on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from genewright.backends.keras.library import class_of, keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.widths.axes import Axis, size_of
from genewright.widths.reasons import Cause
from genewright.widths.unification import split

_KINDS: tuple[Any, ...] = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
_MASK = 6  # the position of attention_mask among the arguments of a call


@rule(keras.layers.MultiHeadAttention)
def attention(step: RuleContext) -> list[Value]:
    """Read query, key and value kernels (in, heads, size), and the output's (heads, size, out)."""
    if class_of(step.layer) not in _KINDS:
        return step.pinned(Cause.UNKNOWN_OPERATION, f"a subclass of {_KINDS[0].__name__}")
    output = _projections(step)
    heads, size = output[0], output[1]
    for name in ("query", "key", "value", "gate"):
        kernel = step.parameter(f"{name}.kernel")
        if kernel is not None:
            step.join(heads, kernel[1])
            if name in ("value", "gate"):
                step.join(kernel[2], size)
            else:
                step.pin(kernel[2], Cause.SCALE)
    given = _given(step)
    if given is None or len(output) != 3:
        return step.pinned(Cause.CALLED_OTHERWISE, "it looks over several axes, or receives more than plain tensors")
    step.bind("num_heads", heads)
    step.bind("value_dim", size)
    if step.layer._output_shape is not None:
        step.pin(output[2], Cause.LITERAL_SIZE, "the config")
    return _attended(step, heads, output[2], given, own_size=step.layer._output_shape is not None)


@rule(keras.layers.GroupQueryAttention)
def grouped(step: RuleContext) -> list[Value]:
    """Read query (in, heads, size), key and value (in, groups, size), and the output's (heads, size, out).

    The heads of a group stand one after the other, and share its keys and values.
    """
    if class_of(step.layer) not in _KINDS:
        return step.pinned(Cause.UNKNOWN_OPERATION, f"a subclass of {_KINDS[1].__name__}")
    output = _projections(step)
    heads = output[0]
    groups: Axis | None = None
    for name in ("query", "gate", "key", "value"):
        kernel = step.parameter(f"{name}.kernel")
        if kernel is None:
            continue
        step.pin(kernel[2], Cause.SCALE)
        if name in ("value", "gate"):
            step.join(kernel[2], output[1])
        if name in ("query", "gate"):
            step.join(heads, kernel[1])
        elif groups is None:
            groups = kernel[1]
            step.join(split(heads, size_of(groups))[0], groups)
        else:
            step.join(groups, kernel[1])
    step.pin(output[1], Cause.SCALE)
    given = _given(step)
    if given is None or groups is None:
        return step.pinned(Cause.CALLED_OTHERWISE, "it receives more than plain tensors")
    step.bind("num_query_heads", heads)
    step.bind("num_key_value_heads", groups)
    return _attended(step, heads, output[2], given, own_size=False)


@rule(keras.layers.Attention, keras.layers.AdditiveAttention)
def dot_product(step: RuleContext) -> list[Value]:
    """Mix places by scores of queries and keys; the units of the values stay apart."""
    given = step.args[0] if step.args else step.keywords.get("inputs")
    if not isinstance(given, list | tuple) or not all(isinstance(one, Value) for one in given):  # pyright: ignore[reportUnknownVariableType]
        return step.pinned(Cause.CALLED_OTHERWISE, "it receives more than plain tensors")
    query, value, key = (*step.inputs[: len(given)], step.inputs[1])[:3]  # pyright: ignore[reportUnknownArgumentType]
    step.join(query.axes[-1], key.axes[-1])
    step.join(value.axes[1], key.axes[1])
    step.mix(key.axes[1], Cause.SOFTMAX, "softmax")
    scale = step.parameter("scale")
    if isinstance(step.layer, keras.layers.AdditiveAttention) and scale is not None:
        step.mark("scale", 0, "reader")  # sum of scale * tanh(query + key)
        step.join(query.axes[-1], scale[0])
    else:
        step.mix(query.axes[-1], Cause.CONTRACTED, "the product of queries and keys")
    made = [Value((*query.axes[:-1], value.axes[-1]))]
    return made + [Value(tuple(step.fresh(size) for size in shape)) for shape in step.shapes[1:]]


def _projections(step: RuleContext) -> list[Axis]:
    """Note what the kernels of projections read and write; return the axes of the output's.

    This is noted however the layer is called, so that widths which cannot change are listed with the reason.
    """
    for name in ("query", "key", "value", "gate"):
        kernel, bias = step.parameter(f"{name}.kernel"), step.parameter(f"{name}.bias")
        if kernel is None:
            continue
        step.mark(f"{name}.kernel", 0, "reader")
        step.mark(f"{name}.kernel", 1, "writer")
        step.mark(f"{name}.kernel", 2, "writer")
        if bias is not None:
            step.join(bias[0], kernel[1])
            step.join(bias[1], kernel[2])
    query, key = step.parameter("query.kernel") or [], step.parameter("key.kernel") or []
    step.join(query[2], key[2])
    step.mix(query[2], Cause.CONTRACTED, "the product of queries and keys")
    output = step.parameter("attention_output.kernel") or []
    step.mark("attention_output.kernel", 0, "reader")
    step.mark("attention_output.kernel", 1, "reader")
    for place in range(2, len(output)):
        step.mark("attention_output.kernel", place, "writer")
    return output


def _attended(
    step: RuleContext, heads: Axis, made: Axis, given: tuple[Value, Value, Value], *, own_size: bool
) -> list[Value]:
    """State what projections receive, and return the output, and the scores where these are returned."""
    query, value, key = given
    for name, x in (("query", query), ("value", value), ("key", key), ("gate", query)):
        kernel = step.parameter(f"{name}.kernel")
        if kernel is not None:
            step.join(x.axes[-1], kernel[0])
    step.carry("attention_output.bias", made)
    if not own_size:
        step.join(made, query.axes[-1])
    _by_head(step, heads)
    step.join(value.axes[1], key.axes[1])
    step.mix(key.axes[1], Cause.SOFTMAX, "softmax")
    # The scores, where they are returned; Keras 3.15 says their last length wrong where there are more keys.
    scores = [Value((query.axes[0], heads, query.axes[1], step.fresh(shape[-1]))) for shape in step.shapes[1:]]
    return [Value((query.axes[0], query.axes[1], made)), *scores]


def _by_head(step: RuleContext, heads: Axis) -> None:
    """Let a mask that differs from head to head have as many."""
    mask: Any = step.keywords.get("attention_mask", step.args[_MASK] if len(step.args) > _MASK else None)
    if isinstance(mask, Value):
        if len(mask.axes) == 4 and size_of(mask.axes[1]) != 1:
            step.join(heads, mask.axes[1])
    elif mask is not None and np.ndim(mask) == 4 and np.shape(mask)[1] != 1:
        step.pin(heads, Cause.CONSTANT, "a mask")


def _given(step: RuleContext) -> tuple[Value, Value, Value] | None:
    """Return query, value and key, sequences each, where the layer receives them so."""
    names = ("query", "value", "key")
    given = dict(zip(names, step.args, strict=False)) | {k: v for k, v in step.keywords.items() if k in names}
    query, value = given.get("query"), given.get("value")
    key = given.get("key") or value
    if not isinstance(query, Value) or not isinstance(value, Value) or not isinstance(key, Value):
        return None
    plain = len(query.axes) == len(value.axes) == len(key.axes) == 3
    return (query, value, key) if plain else None
