"""Another activation for Keras layers, at once or blended in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph, is_of_keras, layers_of
from genewright.edits import Edit, InsertLayer, ReplaceLayer, SetAttribute
from genewright.errors import SettingError, UnsupportedError
from genewright.names import did_you_mean, snake_case
from genewright.spec import Spec, is_activation


def activations_of(model: Any) -> dict[str, str]:
    """Return the layers with an activation: layers that are one, and layers whose config has one that does anything.

    Layers inside other layers than models are left out: what they compute is those layers' affair.
    """
    found: dict[str, str] = {}
    layers = layers_of(model)
    for name, layer in layers.items():
        owner = layers.get(name.rpartition(".")[0], model)
        if not is_graph(owner) and (is_graph(model) or is_of_keras(owner)):
            continue
        kind = type(layer).__name__
        function = getattr(layer, "activation", None)
        if isinstance(layer, keras.layers.Activation) or _has_one(layer):
            found[name] = str(getattr(function, "__name__", type(function).__name__))
        elif is_activation(kind):
            found[name] = kind
    return {name: kind for name, kind in found.items() if kind != "linear"}


def with_activation(layer: Any, name: str, to: Spec, blend: float | None) -> list[Edit]:
    """Return the edits of `Network.with_activation`.

    Raises:
        SettingError: Keras has no such activation.
        UnsupportedError: The layer's activation stands in its config, and `to` is a layer.
    """
    inside = _has_one(layer) and not isinstance(layer, keras.layers.Activation)
    new = to if isinstance(to, Mapping) else _activation(_known(to))
    if blend is not None:
        old: Spec = _activation(layer.get_config()["activation"]) if inside else {"copy": name}
        mixed = InsertLayer(after=name, layer={"layer": "Blend", "layers": [old, new], "blend": float(blend)})
        plain = SetAttribute(layer=name, attribute="activation", value="linear")
        return [plain, mixed] if inside else [mixed]
    if not inside:
        return [ReplaceLayer(layer=name, new=new)]
    if isinstance(to, Mapping):
        raise UnsupportedError(
            f"ReplaceActivation: {name!r} has its activation in its config, where only a name fits, such as 'gelu'; or "
            "say blend=0.0 or blend=1.0, for which layers are put behind it."
        )
    return [SetAttribute(layer=name, attribute="activation", value=_known(to))]


def _activation(function: Any) -> dict[str, Any]:
    return {"class_name": "Activation", "config": {"activation": function}}


def _has_one(layer: Any) -> bool:
    own = "activation" in layer.get_config() if hasattr(layer, "activation") else False
    return own and not isinstance(layer, keras.layers.RNN)


def _known(name: str) -> str:
    for spelled in (name, name.lower(), snake_case(name)):
        if callable(getattr(keras.activations, spelled, None)):
            return spelled
    names = [n for n in dir(keras.activations) if not n.startswith("_")]
    raise SettingError(f"ReplaceActivation: Keras has no activation {name!r}. {did_you_mean(name.lower(), names)}")
