"""New layers of a Keras model from specifications as JSON holds them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from genewright.backends.keras.configs import check_config
from genewright.backends.keras.kinds import LAYERS
from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph, layers_of
from genewright.backends.keras.new_layers import Blend, NewLayer, NewLayers
from genewright.backends.keras.translating import Native, in_keras
from genewright.errors import SettingError, UnknownNameError
from genewright.names import did_you_mean, snake_case
from genewright.plain import MOST_LEVELS

_MOST_LAYERS = 1024  # of one specification


def layer_called(name: str, model: Any) -> Any:
    """Return the layer of that name.

    Raises:
        UnknownNameError: There is none; the message has near names.
    """
    layers = layers_of(model)
    if name not in layers:
        raise UnknownNameError(f"No layer is called {name!r}. {did_you_mean(name, layers)}")
    return layers[name]


def blended(spec: Mapping[str, Any], after: str, model: Any) -> Blend:
    """Return the blend that {"layer": "Blend", "layers": [old, new], "blend": share} asks for.

    `old` is {"copy": after} where the layer itself is the old activation.
    """
    own = after.rsplit(".", 1)[-1]
    parts = spec.get("layers")
    if not isinstance(parts, list | tuple) or len(cast("Sequence[Any]", parts)) != 2:
        raise SettingError("A Blend has two layers, the old activation and the new one.")
    beside = layer_called(after, model)
    first, second = cast("Sequence[Any]", parts)
    old = None if first == {"copy": after} else new_layers(first, None, own, model, beside).layers[0]
    new = new_layers(second, None, own, model, beside).layers[0]
    if old is not None and old.name == new.name:
        new = replace(new, name=f"{new.name}_1")
    return Blend(old, new, _number(spec.get("blend"), "blend"), free_name(f"{own}_blend", model))


def new_layers(spec: Native, name: str | None, after: str, model: Any, beside: Any) -> NewLayers:
    """Return the layers of a specification: of one layer, of a sequence, or of a gated one.

    They compute in the dtype of the layer `beside` them, unless they say their own.
    """
    dtype = policy_of(beside)
    gate: float | None = None
    specs: list[Any] = [spec]
    if isinstance(spec, Mapping) and spec.get("layer") in ("Sequential", "Gated"):
        inner = (
            new_layers({"layer": "Sequential", "layers": spec.get("layers")}, name, after, model, beside)
            if (spec["layer"] == "Gated")
            else None
        )
        if inner is not None:
            return NewLayers(inner.layers, _number(spec.get("gate", 0.0), "gate"), inner.name, dtype)
        specs = spec.get("layers", ())
    if isinstance(spec, Mapping) and "copy" in spec and "gate" in spec:
        gate = _number(spec["gate"], "gate")
    layers: list[NewLayer] = []
    for one in _flat(specs):
        if len(layers) >= _MOST_LAYERS:
            raise SettingError(f"A new layer is made of at most {_MOST_LAYERS} layers; received more.")
        made = _spec(one, model)
        kind = snake_case(str(made.get("class_name", "layer")))
        own = made.get("config", {}).get("name")
        wanted = name if name and len(specs) == 1 else own or f"{name or after}_{kind}"
        copied = str(cast(Any, one)["copy"]) if isinstance(one, Mapping) and "copy" in one else ""
        layers.append(NewLayer(made, free_name(str(wanted), model, [layer.name for layer in layers]), copied, dtype))
    return NewLayers(tuple(layers), gate, layers[0].name if layers else after, dtype)


def policy_of(layer: Any) -> str:
    """Return the name of the dtype policy for a new layer beside `layer`: its own, or that of a model's last layer."""
    while is_graph(layer) and layer.layers:
        layer = layer.layers[-1]
    policy = layer.dtype_policy
    quantized = isinstance(policy, keras.dtype_policies.QuantizedDTypePolicy)
    return str(policy.compute_dtype if quantized else policy.name)


def _number(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise SettingError(f"The {name} of a new layer is a number; received {value!r:.60}.")
    return float(value)


def _flat(specs: Any, level: int = 0) -> Iterator[Any]:
    """Yield the layers of sequences inside sequences."""
    if not isinstance(specs, list | tuple) or level > MOST_LEVELS:
        raise SettingError(f"'layers' is a list of layers, at most {MOST_LEVELS} lists inside each other.")
    for spec in cast("Sequence[Any]", specs):
        if isinstance(spec, Mapping) and cast("Mapping[str, Any]", spec).get("layer") == "Sequential":
            yield from _flat(cast("Mapping[str, Any]", spec).get("layers"), level + 1)
        else:
            yield spec


def _spec(spec: Any, model: Any) -> dict[str, Any]:
    spec = in_keras(spec)
    if not isinstance(spec, str | Mapping):
        raise SettingError(f"A new layer is a name or an object; received {spec!r:.100}.")
    entry: dict[str, Any] = (
        {"class_name": spec, "config": {}} if isinstance(spec, str) else dict(cast("Mapping[str, Any]", spec))
    )
    if spec == "identity":
        entry["class_name"] = "Identity"
    if "layer" in entry and "copy" not in entry:  # the form for both frameworks
        entry = {"class_name": entry.pop("layer"), "config": entry}
    if "copy" in entry:
        layer = layer_called(str(entry["copy"]), model)
        config = {key: value for key, value in layer.get_config().items() if key != "name"}
        return {"class_name": type(layer).__name__, "config": config}
    kind = entry.get("class_name")
    if not isinstance(kind, str) or not set(entry) <= {"class_name", "config"}:
        raise SettingError(
            'A Keras layer is {"class_name": "Dense", "config": {"units": 64, "activation": "relu"}}; '
            f"received {spec!r:.200}."
        )
    if kind == "Lambda":
        raise SettingError("A Lambda layer holds Python code, which a recipe cannot carry. Write a layer class.")
    if kind not in LAYERS:
        raise SettingError(
            f"{kind!r:.60} is no kind of layer that a recipe may make. {did_you_mean(kind, sorted(LAYERS))} A layer "
            'that the model has is {"copy": "its name"}.'
        )
    check_config(entry.get("config", {}), f"A new {kind}")
    return entry


def free_name(wanted: str, model: Any, more: Sequence[str] = ()) -> str:
    """Return `wanted`, with a number where a layer of the model, or one of `more`, is called so."""
    taken = {name.rsplit(".", 1)[-1] for name in layers_of(model)} | set(more)
    name, number = wanted, 1
    while name in taken or f"{name}_gate" in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
