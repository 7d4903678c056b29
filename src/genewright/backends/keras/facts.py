"""What a Keras layer is, in neutral words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import children_of, is_graph, is_of_keras, layers_of
from genewright.layer import CONVOLUTIONS, Kind, Layer, is_activation
from genewright.tensor import Tensor

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"Dense", "linear"),
    (r"Conv\dD", "convolution"),
    (r"DepthwiseConv\dD", "depthwise_convolution"),
    (r"SeparableConv\dD", "separable_convolution"),
    (r"Conv\dDTranspose", "transposed_convolution"),
    (r"(Batch|Layer|Group|RMS|Unit)Normalization", "norm"),
    (r"Embedding|ReversibleEmbedding", "embedding"),
    (r"RNN|Bidirectional|ConvLSTM\dD", "recurrent"),
    (r"(MultiHead|Grouped?Query)Attention|Attention|AdditiveAttention", "attention"),
    (r"Activation", "activation"),
)
_KERNELS = ("kernel", "depthwise_kernel", "embeddings", "gamma", "scale")
_BIASES = ("bias", "beta")


def facts_of(model: Any, tensors: Mapping[str, Tensor]) -> dict[str, Layer]:
    """Return what is known of every layer of a model, by its name."""
    names = {name for tensor in tensors.values() for name in (tensor.name, *tensor.aliases)}
    shapes = {name: t.shape for t in tensors.values() for name in (t.name, *t.aliases)}
    layers = layers_of(model)
    found: dict[str, Layer] = {}
    for name, layer in layers.items():
        owner = layers.get(name.rpartition(".")[0], model)
        # What stands inside another layer than a model is that layer's affair.
        alone = is_graph(owner) or not (is_graph(model) or is_of_keras(owner))
        found[name] = _facts(name, layer, names, shapes, alone=alone)
    return found


def _facts(
    name: str, layer: Any, names: Collection[str], shapes: Mapping[str, tuple[int, ...]], *, alone: bool
) -> Layer:
    kind = _kind(layer)
    kernel = next((f"{name}.{each}" for each in _KERNELS if f"{name}.{each}" in names), None)
    inside = _has_activation(layer) and kind != "activation"
    settings = {"activation": "activation"} if inside else {}
    epsilon = getattr(layer, "epsilon", None)
    if isinstance(epsilon, int | float):
        settings["epsilon"] = "epsilon"
    form = getattr(layer, "data_format", None)
    window: dict[str, Any] = {}
    sizes = tuple(int(size) for size in getattr(layer, "kernel_size", ()))
    if kind in CONVOLUTIONS and kernel is not None and sizes and shapes[kernel][: len(sizes)] == sizes:
        window = {"window": sizes, "padding": str(layer.padding), "groups": int(getattr(layer, "groups", 1))}
        window |= {"stride": _numbers(layer.strides), "dilation": _numbers(layer.dilation_rate)}
        settings["window"] = "kernel_size"
    return Layer(
        name=name,
        class_name=type(layer).__name__,
        kind=kind,
        plain=is_of_keras(layer),
        composite=next(iter(children_of(layer)), None) is not None,
        kernel=kernel,
        bias=next((f"{name}.{each}" for each in _BIASES if f"{name}.{each}" in names), None),
        channels={"channels_first": "first", "channels_last": "last"}.get(str(form)),  # type: ignore[arg-type]
        epsilon=float(epsilon) if isinstance(epsilon, int | float) else None,
        activation=_activation(layer, kind, inside=inside) if alone else None,
        heads=int(layer.num_heads) if isinstance(layer, keras.layers.MultiHeadAttention) else 0,
        settings=settings,
        **window,
    )


def _kind(layer: Any) -> Kind:
    for cls in type(layer).__mro__:
        if cls.__module__.split(".", 1)[0] == "keras":
            for pattern, kind in _KINDS:
                if re.fullmatch(pattern, cls.__name__):
                    return kind
    return "activation" if is_activation(type(layer).__name__) else "other"


def _activation(layer: Any, kind: Kind, *, inside: bool) -> str | None:
    """Return the name of the activation that can be exchanged by itself; one that does nothing is none."""
    if inside or isinstance(layer, keras.layers.Activation) or (kind == "activation" and _has_activation(layer)):
        function = getattr(layer, "activation", None)
        name = str(getattr(function, "__name__", type(function).__name__))
        return None if name == "linear" else name
    return type(layer).__name__ if kind == "activation" else None


def _has_activation(layer: Any) -> bool:
    """Whether a layer's config has an activation that it applies to its output."""
    own = "activation" in layer.get_config() if hasattr(layer, "activation") else False
    return own and not isinstance(layer, keras.layers.RNN)


def _numbers(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
