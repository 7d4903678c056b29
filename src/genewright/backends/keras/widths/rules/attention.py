"""Attention: heads and the size of queries and keys stay, for the scores depend on them."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.widths.reasons import Cause


@rule(keras.layers.MultiHeadAttention)
def attention(step: RuleContext) -> list[Value]:
    """Read query, key and value kernels (in, heads, size), and the output's (heads, size, out)."""
    given = _given(step)
    output = step.parameter("attention_output.kernel")
    if given is None or output is None or len(output) != 3:
        return step.pinned(
            Cause.CALLED_OTHERWISE,
            "it looks over several axes, returns its scores, or receives more than plain tensors",
        )
    query, value, key = given
    heads = output[0]
    step.pin(heads, Cause.COUNT, "heads")
    for name, x in (("query", query), ("key", key), ("value", value), ("gate", query)):
        kernel = step.parameter(f"{name}.kernel")
        if kernel is None:
            continue
        step.mark(f"{name}.kernel", 0, "reader")
        step.join(x.axes[-1], kernel[0])
        step.mark(f"{name}.kernel", 1, "writer")
        step.mark(f"{name}.kernel", 2, "writer")
        step.join(heads, kernel[1])
        if name in ("value", "gate"):
            step.join(kernel[2], output[1])
        else:
            step.pin(kernel[2], Cause.SCALE)
        _beside(step, name)
    _scored(step)
    step.mark("attention_output.kernel", 0, "reader")
    step.mark("attention_output.kernel", 1, "reader")
    step.mark("attention_output.kernel", 2, "writer")
    step.bind("value_dim", output[1])
    step.carry("attention_output.bias", output[2])
    if step.layer._output_shape is None:
        step.join(output[2], query.axes[-1])
    else:
        step.pin(output[2], Cause.LITERAL_SIZE, "the config")
    return [Value((query.axes[0], query.axes[1], output[2]))]


@rule(keras.layers.GroupQueryAttention)
def grouped(step: RuleContext) -> list[Value]:
    """Read query (in, heads, size), key and value (in, fewer heads, size), and the output's (heads, size, out)."""
    given = _given(step)
    output = step.parameter("attention_output.kernel")
    if given is None or output is None:
        return step.pinned(Cause.CALLED_OTHERWISE, "it returns its scores, or receives more than plain tensors")
    query, value, key = given
    for name, x in (("query", query), ("key", key), ("value", value), ("gate", query)):
        kernel = step.parameter(f"{name}.kernel")
        if kernel is None:
            continue
        step.mark(f"{name}.kernel", 0, "reader")
        step.join(x.axes[-1], kernel[0])
        step.mark(f"{name}.kernel", 1, "writer")
        step.mark(f"{name}.kernel", 2, "writer")
        step.pin(kernel[1], Cause.COUNT, "heads")
        step.pin(kernel[2], Cause.SCALE)
        if name in ("query", "gate"):
            step.join(kernel[1], output[0])
        _beside(step, name)
    _scored(step)
    values, keys = step.parameter("value.kernel"), step.parameter("key.kernel")
    if values is not None and keys is not None:
        step.join(values[1], keys[1])
        step.join(values[2], output[1])
    step.pin(output[0], Cause.COUNT, "heads")
    step.pin(output[1], Cause.SCALE)
    step.mark("attention_output.kernel", 0, "reader")
    step.mark("attention_output.kernel", 1, "reader")
    step.mark("attention_output.kernel", 2, "writer")
    step.carry("attention_output.bias", output[2])
    step.join(output[2], query.axes[-1])
    return [Value((query.axes[0], query.axes[1], output[2]))]


@rule(keras.layers.Attention, keras.layers.AdditiveAttention)
def dot_product(step: RuleContext) -> list[Value]:
    """Mix places by scores of queries and keys; the units of the values stay apart."""
    given = step.args[0] if step.args else step.keywords.get("inputs")
    if not isinstance(given, list | tuple) or not all(isinstance(one, Value) for one in given):  # pyright: ignore[reportUnknownVariableType]
        return step.pinned(Cause.CALLED_OTHERWISE, "it receives more than plain tensors")
    query, value, key = (*step.inputs[: len(given)], step.inputs[1])[:3]  # pyright: ignore[reportUnknownArgumentType]
    step.join(query.axes[-1], key.axes[-1])
    scale = step.parameter("scale")
    if isinstance(step.layer, keras.layers.AdditiveAttention) and scale is not None:
        step.mark("scale", 0, "reader")  # sum of scale * tanh(query + key)
        step.join(query.axes[-1], scale[0])
    else:
        step.mix(query.axes[-1], Cause.CONTRACTED, "the product of queries and keys")
    made = [Value((*query.axes[:-1], value.axes[-1]))]
    return made + [Value(tuple(step.fresh(size) for size in shape)) for shape in step.shapes[1:]]


def _given(step: RuleContext) -> tuple[Value, Value, Value] | None:
    """Return query, value and key, sequences each, where the layer receives them so and returns one tensor."""
    names = ("query", "value", "key")
    given = dict(zip(names, step.args, strict=False)) | {k: v for k, v in step.keywords.items() if k in names}
    query, value = given.get("query"), given.get("value")
    key = given.get("key") or value
    if not isinstance(query, Value) or not isinstance(value, Value) or not isinstance(key, Value):
        return None
    plain = len(query.axes) == len(value.axes) == len(key.axes) == 3 and len(step.shapes) == 1
    return (query, value, key) if plain else None


def _scored(step: RuleContext) -> None:
    """Note that scores sum the products of queries and keys, of one size."""
    query, key = step.parameter("query.kernel"), step.parameter("key.kernel")
    if query is not None and key is not None:
        step.join(query[2], key[2])
        step.mix(query[2], Cause.CONTRACTED, "the product of queries and keys")


def _beside(step: RuleContext, name: str) -> None:
    """Let the bias of a projection have its kernel's heads and sizes."""
    bias, kernel = step.parameter(f"{name}.bias"), step.parameter(f"{name}.kernel") or []
    if bias is not None:
        step.join(bias[0], kernel[1])
        step.join(bias[1], kernel[2])
