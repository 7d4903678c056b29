"""Multi-head attention: the values' size can change; heads and the keys' size stay."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.reading import Step, Value, rule


@rule(keras.layers.MultiHeadAttention)
def attention(step: Step) -> list[Value]:
    """Read query, key and value kernels (in, heads, size), and the output's (heads, size, out)."""
    names = ("query", "value", "key")
    given = dict(zip(names, step.args, strict=False)) | {k: v for k, v in step.keywords.items() if k in names}
    query, value = given.get("query"), given.get("value")
    key = given.get("key") or value
    output = step.parameter("attention_output.kernel")
    rank = len(query.axes) if isinstance(query, Value) else 0
    if output is None or not isinstance(value, Value) or not isinstance(query, Value) or not isinstance(key, Value):
        return step.pinned("its arguments are not plain tensors")
    if rank != 3 or len(output) != 3 or len(step.shapes) != 1:
        return step.pinned("it looks over several axes, or returns its scores")
    heads = output[0]
    step.pin(heads, "it counts heads")
    for name, x in (("query", query), ("key", key), ("value", value)):
        kernel = step.parameter(f"{name}.kernel") or []
        step.mark(f"{name}.kernel", 0, "reader")
        step.join(x.axes[-1], kernel[0])
        step.join(heads, kernel[1])
        if name == "value":
            step.mark(f"{name}.kernel", 2, "writer")
            step.join(kernel[2], output[1])
        else:
            step.pin(kernel[2], "the scale of the scores follows it")
        bias = step.parameter(f"{name}.bias")
        if bias is not None:
            step.join(bias[0], kernel[1])
            step.join(bias[1], kernel[2])
    step.mark("attention_output.kernel", 1, "reader")
    step.mark("attention_output.kernel", 2, "writer")
    step.bind("value_dim", output[1])
    step.carry("attention_output.bias", output[2])
    if step.layer._output_shape is None:
        step.join(output[2], query.axes[-1])
    else:
        step.pin(output[2], "it is an output shape in the config")
    return [Value((query.axes[0], query.axes[1], output[2]))]
