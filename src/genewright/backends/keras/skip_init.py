"""Build a layer without running its initializers, where it gets other values at once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from genewright.backends.keras.library import attributes_of, class_of, keras

# Layers that hand their initializers to no layer inside: those would keep what they were handed.
_PLAIN = tuple(
    getattr(keras.layers, name)
    for name in (
        "Dense", "EinsumDense", "Embedding", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose",
        "Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D",
    )
)  # fmt: skip


@contextmanager
def skip_init(layer: Any) -> Generator[None]:
    """Let what a layer builds inside the block start at zero; the layer keeps its initializers.

    Drawing the values of a large model takes longer than everything else that is done to make it again.
    """
    if class_of(layer) not in _PLAIN or layer.built:
        yield
        return
    own = attributes_of(layer)
    held = {name: value for name, value in own.items() if isinstance(value, keras.initializers.Initializer)}
    own.update(dict.fromkeys(held, keras.initializers.Zeros()))
    try:
        yield
    finally:
        own.update(held)
