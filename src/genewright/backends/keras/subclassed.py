"""Rebuild subclassed models from their own config, with the layers that differ from it swapped in."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, cast

from genewright.backends.keras.cloning import cloned
from genewright.backends.keras.configs import computing_in, unbuilt
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.independence import refuse_shared
from genewright.backends.keras.library import attributes_of, class_of, keras
from genewright.backends.keras.members import is_graph, is_of_keras, layers_of
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.swap_layers import swap_layers, swappable_layers
from genewright.process_state import warnings_ignored


def remade(model: Any, dtype: str = "") -> Any:
    """Return a new model by ``from_config(get_config())`` with layers like those of `model`, and fresh weights.

    A mutated layer has another config than the class gives it: it is made from its own.

    Args:
        model: A built subclassed model.
        dtype: The floating dtype that it shall compute in, or "" for its own.

    Raises:
        UnsupportedError: The class or a layer cannot be made from its config, or would be shared with `model`.
    """
    new = by_config(model)
    layers = layers_of(model)
    parts = {name: layers[name] for name in swappable_layers(model)} if dtype else differing(model, new)
    fresh: dict[str, Any] = {}
    for name, layer in parts.items():
        if is_graph(layer):
            fresh[name] = Rebuilder(layer, Changes(dtype=dtype)).model()
        else:
            fresh[name] = cloned(layer, functools.partial(_config, dtype))
    owners = {"": model, **layers}
    for name, owner in {"": new, **layers_of(new)}.items():
        if name in owners and not is_of_keras(owner):  # their config need not hold it
            attributes_of(owner)["_dtype_policy"] = keras.DTypePolicy(dtype) if dtype else owners[name].dtype_policy
    if fresh:
        swap_layers(new, _shared(fresh, model))
    refuse_shared(model, new)
    return new


def by_config(model: Any) -> Any:
    """Return a new model as the class's own config says, built."""
    new = cloned(model)
    config = model.get_build_config()
    if config and not new.built:
        with warnings_ignored():  # what cannot be built so is refused by name, when weights are carried over
            new.build_from_config(config)
        new.built = True  # by its layers, which Keras has run on shapes alone
    return new


def differing(model: Any, new: Any) -> dict[str, Any]:
    """Return the layers of `model` whose class or settings differ from those of the same name in `new`."""
    layers, others = layers_of(model), layers_of(new)
    parts = [name for name in swappable_layers(model) if name in others]
    return {name: layers[name] for name in parts if _differ(layers[name], others[name])}


def _config(dtype: str, config: dict[str, Any]) -> dict[str, Any]:
    return computing_in(unbuilt(config), dtype) if dtype else unbuilt(config)


def _shared(fresh: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """Return the new layers, one for each old one: a layer with two names stays one."""
    layers, first = layers_of(model), cast("dict[int, Any]", {})
    return {name: first.setdefault(id(layers[name]), layer) for name, layer in fresh.items()}


def _differ(layer: Any, other: Any) -> bool:
    """Whether settings differ, or shapes: what reads a wider layer has the settings that it had."""
    shapes, others = ([tuple(v.shape) for v in one.weights] for one in (layer, other))
    return _said(layer) != _said(other) or (other.built and shapes != others)


def _said(layer: Any) -> Any:
    if is_graph(layer):
        return class_of(layer), [_said(child) for child in layer.layers]
    return class_of(layer), repr(_nameless(layer.get_config()))


def _nameless(config: Any) -> Any:
    """Return a config without the names that count layers, and without shapes that were built for.

    The name of a dtype policy is what it is: "float64".
    """
    if isinstance(config, Mapping):
        known = cast("Mapping[str, Any]", config)
        kept = {key: value for key, value in known.items() if key not in ("name", "build_config")}
        return {key: value if key == "dtype" else _nameless(value) for key, value in kept.items()}
    if isinstance(config, list | tuple):
        return [_nameless(one) for one in cast("list[Any]", config)]
    return config
