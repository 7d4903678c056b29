"""A new layer's neutral description in torch's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from genewright.errors import SettingError, UnsupportedError
from genewright.spec import LayerSpec, Spec

Native = str | Mapping[str, Any]


def in_torch(spec: Spec) -> Native:
    """Return what `make_layer` makes layers of: a name, or {"layer": kind, ...}, or {"copy": name}.

    Raises:
        UnsupportedError: torch has no such layer.

    Example:
        >>> in_torch(LayerSpec(kind="linear", inputs=8, outputs=4))
        {'layer': 'Linear', 'in_features': 8, 'out_features': 4}
    """
    if isinstance(spec, Mapping) and "kind" in spec:
        spec = LayerSpec.from_json(spec)
    if not isinstance(spec, LayerSpec):
        return spec
    inner = [in_torch(layer) for layer in spec.layers]
    match spec.kind:
        case "linear":
            return {"layer": "Linear", "in_features": spec.inputs, "out_features": spec.outputs, **_bias(spec)}
        case "convolution":
            return _convolution(spec)
        case "zero_padding":
            numbers = _numbers(spec)
            around = [size for size in reversed(numbers) for _ in range(2)]
            return {"layer": f"ZeroPad{len(numbers)}d", "padding": around}
        case "activation":
            return cast(str, spec.activation).replace("_", "")
        case "copy":
            return {"copy": spec.copy} | ({} if spec.gate is None else {"gate": spec.gate})
        case "chain":
            return {"layer": "Sequential", "layers": inner}
        case "gated":
            return {"layer": "Gated", "layers": inner} | ({"gate": spec.gate} if spec.gate else {})
        case "blend":
            return {"layer": "Blend", "layers": inner, "blend": spec.gate}
        case _:
            return "identity"


def _convolution(spec: LayerSpec) -> Native:
    if spec.channels != "first" or len(spec.window) > 3:
        raise UnsupportedError(
            "torch's convolutions take images of up to three axes with channels first; received "
            f"{spec.words()}, channels {spec.channels}."
        )
    made: dict[str, Any] = {
        "layer": f"Conv{len(spec.window)}d",
        "in_channels": spec.inputs,
        "out_channels": spec.outputs,
        "kernel_size": list(spec.window),
    }
    if any(step != 1 for step in spec.stride):
        made["stride"] = list(spec.stride)
    # In numbers, so that the window can grow: with an odd window these are what "same" means.
    around = [size // 2 for size in spec.window] if spec.padding == "same" else list(spec.padding)
    if spec.padding == "same" and any(size % 2 == 0 for size in spec.window):
        raise SettingError(f"{spec.words()}: padding='same' needs an odd window.")
    if any(around):
        made["padding"] = around
    return {**made, **_bias(spec)}


def _numbers(spec: LayerSpec) -> tuple[int, ...]:
    if isinstance(spec.padding, str):
        raise SettingError("A zero_padding says how many zeros stand on each side: padding=(1, 1).")
    return spec.padding


def _bias(spec: LayerSpec) -> dict[str, bool]:
    return {} if spec.bias else {"bias": False}
