"""New Keras layers said by an example of one, and the sizes of new layers that follow from where they come to stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genewright.backends.keras.kinds import LAYERS
from genewright.backends.keras.library import keras
from genewright.errors import SettingError
from genewright.names import did_you_mean
from genewright.spec import LayerSpec, Spec
from genewright.structure import Call

_WINDOW = 3


def spec_like(layer: Any) -> Spec:
    """Return the specification of a layer as Keras writes it, without its name and weights.

    Raises:
        SettingError: It is of no kind that a recipe may make.
    """
    kind = type(layer).__name__
    if kind not in LAYERS:
        raise SettingError(
            f"{kind!r} is no kind of layer that a recipe may make. {did_you_mean(kind, sorted(LAYERS))} A copy of a "
            "layer of the model is {'copy': 'its name'}."
        )
    config = dict(keras.saving.serialize_keras_object(layer)["config"])
    for key in ("name", "dtype"):  # it gets its own, and that of the layer beside it
        config.pop(key, None)
    return {"class_name": kind, "config": config}


def completed(spec: Spec, call: Call, *, inserted: bool) -> Spec:
    """Return a specification in Keras's form, with the number of units and the window where they follow.

    Args:
        spec: The specification: a name, {"layer": "Dense", "units": 8}, or what Keras writes.
        call: The layer behind which the new one comes to stand, or in whose place.
        inserted: It comes behind, and returns what it receives.
    """
    if isinstance(spec, LayerSpec) or (isinstance(spec, Mapping) and not _is_one_layer(spec)):
        return spec
    kind = spec if isinstance(spec, str) else str(spec.get("class_name", spec.get("layer")))
    if kind not in LAYERS:
        return spec
    config: dict[str, Any] = {}
    if isinstance(spec, Mapping):
        config = (
            dict(spec.get("config", {})) if "class_name" in spec else {k: v for k, v in spec.items() if k != "layer"}
        )
    width = call.output_shape[call.depth_axis]
    if kind == "Dense":
        config.setdefault("units", width)
    elif kind in ("Conv1D", "Conv2D", "Conv3D"):
        config.setdefault("filters", width)
        if "kernel_size" not in config:
            config["kernel_size"] = _WINDOW
        if inserted and not config.keys() & {"padding", "strides"}:
            config["padding"] = "same"
    return {"class_name": kind, "config": config}


def _is_one_layer(spec: Mapping[str, Any]) -> bool:
    return "copy" not in spec and "layers" not in spec and ("layer" in spec or "class_name" in spec)
