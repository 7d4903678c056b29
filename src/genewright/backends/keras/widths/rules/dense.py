"""Dense layers and embeddings."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.backends.keras.widths.rules.activation import activated
from genewright.widths.reasons import Cause


@rule(keras.layers.Dense)
def dense(step: RuleContext) -> list[Value]:
    """Read y = activation(x @ kernel + bias)."""
    kernel = step.parameter("kernel")
    if kernel is None or "lora_kernel_a" in step.tensors:
        return step.pinned(Cause.NOT_PLAIN, "kernel, which LoRA or packing adds to,")
    x = step.inputs[0]
    step.mark("kernel", 0, "reader")
    step.mark("kernel", 1, "writer")
    step.join(x.axes[-1], kernel[0])
    step.carry("bias", kernel[1])
    step.bind("units", kernel[1])
    return activated(step, [Value((*x.axes[:-1], kernel[1]))])


@rule(keras.layers.Embedding)
def embedding(step: RuleContext) -> list[Value]:
    """Look up rows."""
    table = step.parameter("embeddings")
    if table is None or "lora_embeddings_a" in step.tensors:
        return step.pinned(Cause.NOT_PLAIN, "table, which LoRA or packing adds to,")
    step.pin(table[0], Cause.COUNT, "the words of a vocabulary")
    step.mark("embeddings", 0, "table")
    step.bind("input_dim", table[0])
    step.mark("embeddings", 1, "writer")
    step.bind("output_dim", table[1])
    return [Value((*step.inputs[0].axes, table[1]))]


@rule(keras.layers.ReversibleEmbedding)
def reversible(step: RuleContext) -> list[Value]:
    """Look up rows; or, in reverse, return a score for every row: x @ transpose(embeddings), or its own matrix."""
    reverse = step.keywords.get("reverse", step.args[1] if len(step.args) > 1 else False)
    table, own = step.parameter("embeddings"), step.parameter("reverse_embeddings")
    if table is not None and own is not None:
        step.join(table[1], own[0])
        step.join(table[0], own[1])
        step.mark("reverse_embeddings", 0, "reader")
    values = embedding(step)
    if not reverse or table is None or "lora_embeddings_a" in step.tensors:
        return values
    if own is None:
        step.mark("embeddings", 1, "reader")
    x = step.inputs[0]
    step.join(x.axes[-1], table[1])
    return [Value((*x.axes[:-1], table[0]))]
