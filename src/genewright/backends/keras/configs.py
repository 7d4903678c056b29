"""Configs of layers as Keras writes them: entries at a path, and layers inside layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from genewright.errors import UnknownNameError
from genewright.names import did_you_mean


def entry(config: Any, path: str) -> Any:
    """Return the entry at a path: "units", "output_shape.0", "layer.config.units".

    Raises:
        UnknownNameError: There is none; the message has near names.
    """
    for key in path.split("."):
        if isinstance(config, list | tuple) and key.isdigit() and int(key) < len(cast("Sequence[Any]", config)):
            config = cast("Sequence[Any]", config)[int(key)]
        elif isinstance(config, Mapping) and key in config:
            config = cast("Mapping[str, Any]", config)[key]
        else:
            names = [str(name) for name in cast("Mapping[Any, Any]", config)] if isinstance(config, Mapping) else []
            raise UnknownNameError(f"The config has no {path!r}. {did_you_mean(key, names)}".rstrip())
    return config


def with_entry(config: Any, path: str, value: Any) -> Any:
    """Return a config with another value at a path; what was given stays as it is."""
    key, _, rest = path.partition(".")
    inner = entry(config, key)
    new = with_entry(inner, rest, value) if rest else value
    if isinstance(config, list | tuple):
        return [new if i == int(key) else old for i, old in enumerate(cast("Sequence[Any]", config))]
    return {**config, key: new}


def unbuilt(config: Any) -> Any:
    """Return a config whose inner layers do not say the shapes that they were built for: those may be others now."""
    if isinstance(config, Mapping):
        known = cast("Mapping[str, Any]", config)
        inner = "class_name" in known and "config" in known
        return {key: unbuilt(value) for key, value in known.items() if not (inner and key == "build_config")}
    if isinstance(config, list | tuple):
        made = [unbuilt(value) for value in cast("Sequence[Any]", config)]
        return tuple(made) if isinstance(config, tuple) else made
    return config


def computing_in(config: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Return a layer's config with another dtype, layers inside it included; only floating dtypes are exchanged."""
    known = dict(config)
    if "dtype" in known and _is_floating(known["dtype"]):
        known["dtype"] = dtype
    for key, value in known.items():
        known[key] = _inside(value, dtype)
    return known


def _inside(value: Any, dtype: str) -> Any:
    if isinstance(value, list | tuple):
        return [_inside(one, dtype) for one in cast("Sequence[Any]", value)]
    if isinstance(value, Mapping):
        held = cast("Mapping[str, Any]", value)
        inner = held.get("config")
        if isinstance(inner, Mapping) and "name" in inner and "class_name" in held:
            return {**held, "config": computing_in(cast("Mapping[str, Any]", inner), dtype)}
    return value  # pyright: ignore[reportUnknownVariableType]


def _is_floating(dtype: Any) -> bool:
    if isinstance(dtype, Mapping):
        dtype = cast("Mapping[str, Any]", dtype).get("config", {}).get("name", "")
    return dtype is None or "float" in str(dtype)
