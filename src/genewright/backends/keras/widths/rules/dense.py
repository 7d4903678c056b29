"""Dense layers and embeddings."""

from __future__ import annotations

from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.reading import Step, Value, rule
from genewright.widths.axes import Axis

_ACROSS = ("softmax", "log_softmax", "sparsemax", "glu")


@rule(keras.layers.Dense)
def dense(step: Step) -> list[Value]:
    """Read y = activation(x @ kernel + bias)."""
    kernel = step.parameter("kernel")
    if kernel is None or "lora_kernel_a" in step.tensors:
        return step.pinned("its kernel is not a plain one")
    x = step.inputs[0]
    step.mark("kernel", 0, "reader")
    step.mark("kernel", 1, "writer")
    step.join(x.axes[-1], kernel[0])
    step.carry("bias", kernel[1])
    step.bind("units", kernel[1])
    activated(step, kernel[1])
    return [Value((*x.axes[:-1], kernel[1]))]


@rule(keras.layers.Embedding)
def embedding(step: Step) -> list[Value]:
    """Look up rows."""
    table = step.parameter("embeddings")
    if table is None or "lora_embeddings_a" in step.tensors:
        return step.pinned("its table is not a plain one")
    step.pin(table[0], "it is the size of the vocabulary")
    step.mark("embeddings", 1, "writer")
    step.bind("output_dim", table[1])
    return [Value((*step.inputs[0].axes, table[1]))]


def activated(step: Step, axis: Axis) -> None:
    """Note what a layer's activation does to its units."""
    function: Any = getattr(step.layer, "activation", None)
    if function is None:
        return
    name = str(getattr(function, "__name__", type(function).__name__))
    if name in _ACROSS:
        step.mix(axis, f"{name} runs over it")
    elif not _is_of_keras(function):
        step.mix(axis, f"the activation {name!r} may look across it")


def _is_of_keras(function: Any) -> bool:
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(module).split(".", 1)[0] == "keras"
