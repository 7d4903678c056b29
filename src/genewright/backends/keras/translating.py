"""A new layer's neutral description in Keras's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from genewright.backends.keras.kinds import ACTIVATIONS, LAYERS
from genewright.errors import SettingError
from genewright.layer import activation_name
from genewright.names import did_you_mean
from genewright.spec import LayerSpec, Spec

Native = str | Mapping[str, Any]


def in_keras(spec: Spec) -> Native:
    """Return what `new_layers` makes layers of: {"class_name": ..., "config": ...}, {"copy": name}, or a chain of such.

    Raises:
        SettingError: Keras has no such layer.

    Example:
        >>> in_keras(LayerSpec(kind="linear", inputs=8, outputs=4))
        {'class_name': 'Dense', 'config': {'units': 4}}
    """
    if isinstance(spec, Mapping) and "kind" in spec:
        spec = LayerSpec.from_json(spec)
    if not isinstance(spec, LayerSpec):
        return spec
    inner = [in_keras(layer) for layer in spec.layers]
    match spec.kind:
        case "linear":
            return {"class_name": "Dense", "config": {"units": spec.outputs, **_bias(spec)}}
        case "convolution":
            return _convolution(spec)
        case "zero_padding":
            return _zero_padding(spec)
        case "activation":
            return _activation(cast(str, spec.activation))
        case "copy":
            return {"copy": spec.copy} | ({} if spec.gate is None else {"gate": spec.gate})
        case "chain":
            return {"layer": "Sequential", "layers": inner}
        case "gated":
            return {"layer": "Gated", "layers": inner, "gate": spec.gate or 0.0}
        case "blend":
            return {"layer": "Blend", "layers": inner, "blend": spec.gate}
        case _:
            return "identity"


def _convolution(spec: LayerSpec) -> Native:
    if spec.padding != "same" and any(spec.padding):
        raise SettingError("Keras's convolutions take no padding in numbers: put a zero_padding before them.")
    config: dict[str, Any] = {
        "filters": spec.outputs,
        "kernel_size": list(spec.window),
        "padding": "same" if spec.padding == "same" else "valid",
        "data_format": f"channels_{spec.channels}",
    }
    if any(step != 1 for step in spec.stride):
        config["strides"] = list(spec.stride)
    return {"class_name": f"Conv{len(spec.window)}D", "config": {**config, **_bias(spec)}}


def _zero_padding(spec: LayerSpec) -> Native:
    if isinstance(spec.padding, str):
        raise SettingError("A zero_padding says how many zeros stand on each side: padding=(1, 1).")
    around = list(spec.padding)
    config = {"padding": around[0] if len(around) == 1 else around, "data_format": f"channels_{spec.channels}"}
    return {"class_name": f"ZeroPadding{len(around)}D", "config": config}


def _activation(name: str) -> Native:
    """Return a layer that computes an activation function: Keras's general one, or a class with settings of its own."""
    function = activation_name(name)
    if function in ACTIVATIONS:
        return {"class_name": "Activation", "config": {"activation": function}}
    if name in LAYERS:
        return {"class_name": name, "config": {}}
    raise SettingError(f"Keras has no activation {name!r}. {did_you_mean(name.lower(), sorted(ACTIVATIONS))}")


def _bias(spec: LayerSpec) -> dict[str, bool]:
    return {} if spec.bias else {"use_bias": False}
