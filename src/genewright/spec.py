"""Spec: a layer as JSON can hold it; and which layers are activation functions, by their class names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from genewright.errors import SettingError

Spec = str | Mapping[str, Any]
"""A layer, made by the backend.

``"identity"``, ``"GELU"``, ``{"layer": "Linear", "in_features": 8, "out_features": 8}``, ``{"layer": "Sequential",
"layers": [...]}``, or ``{"copy": "layer1.0"}``: a copy of a layer of the same model, with its weights; with
``"gate": 0.0`` it starts as the identity, x + gate * copy(x). For Keras, ``{"class_name": "Dense", "config": {...}}``
as Keras itself writes it.
"""

ACTIVATIONS = (
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "Mish", "PReLU", "ReLU", "ReLU6", "RReLU", "SELU", "Sigmoid", "SiLU", "Softplus", "Softshrink", "Softsign", "Swish",
    "Tanh", "Tanhshrink", "HardSwish", "HardSigmoid", "HardMish", "QuickGELU", "GELUTanh", "PytorchGELUTanh", "GluAct",
)  # fmt: skip


def as_spec(owner: str, value: Any) -> Spec:
    """Return a specification with plain lists, as JSON gives it back.

    Raises:
        SettingError: It is neither a name nor an object with the entry "layer", "copy" or "class_name".

    >>> as_spec("InsertLayer", {"layer": "Conv2d", "kernel_size": (3, 3)})
    {'layer': 'Conv2d', 'kernel_size': [3, 3]}
    """
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Mapping) and sum(key in value for key in ("layer", "copy", "class_name")) == 1:
        return cast("Mapping[str, Any]", _plain(cast(object, value)))
    raise SettingError(
        f"{owner}: a layer is a name such as 'identity' or 'GELU', {{'layer': 'Linear', 'in_features': 8, "
        f"'out_features': 8}}, {{'class_name': 'Dense', 'config': {{'units': 8}}}} for Keras, or "
        f"{{'copy': 'layer1.0'}}; received {value!r}."
    )


def in_words(spec: Spec) -> str:
    """Say what a layer is.

    >>> in_words({"layer": "Linear", "in_features": 8, "out_features": 4})
    'Linear(in_features=8, out_features=4)'
    """
    if isinstance(spec, str):
        return spec
    if "copy" in spec:
        return f"a copy of {spec['copy']}" + (f" with a gate of {spec['gate']:g}" if "gate" in spec else "")
    if "class_name" in spec:
        config = ", ".join(f"{key}={value!r}" for key, value in spec.get("config", {}).items())
        return f"{spec['class_name']}({config})"
    inner = [in_words(part) for part in spec.get("layers", ())]
    settings = [f"{key}={value!r}" for key, value in spec.items() if key not in ("layer", "layers")]
    return f"{spec['layer']}({', '.join(inner + settings)})"


def is_activation(kind: str) -> bool:
    """Whether a class name is that of an activation layer."""
    return kind in ACTIVATIONS or kind.endswith("Activation")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in cast("list[Any]", value)]
    return value
