"""Configs of layers as Keras writes them: entries at a path, and layers inside layers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from genewright.backends.keras.kinds import (
    ACTIVATION_KEYS,
    ACTIVATIONS,
    EQUATION,
    INITIALIZERS,
    OBJECT_KEYS,
    WORDS,
)
from genewright.errors import SettingError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.plain import MOST_LEVELS, check_name, fitting

_MOST_ENTRIES = 64
_DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})


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
    """Return a config with another value at a path; what was given stays as it is.

    A recipe asks for it, so only plain data is set: numbers, None and lists of these, of the old value's type; the name
    of one of Keras's activations; and a few words, such as "same". What an object is (its class, its module) stays.

    Raises:
        UnknownNameError: There is no such entry.
        UnsupportedError: It is no plain data, or says what an object of Keras is.
        SettingError: The value is of another type than the old one.
    """
    return _with_entry(config, path, value, path)


def _with_entry(config: Any, path: str, value: Any, whole: str) -> Any:
    key, _, rest = path.partition(".")
    what = f"The config's entry {whole!r}"
    check_name(key, whole, "A layer's config")
    inner = entry(config, key)
    if key in OBJECT_KEYS:
        raise UnsupportedError(f"{what} cannot be set: {key!r} says what an object of Keras is.")
    if rest:
        new = _with_entry(inner, rest, value, whole)
    elif key in ACTIVATION_KEYS and type(value) is str:
        new = _word(value, ACTIVATIONS, what)
    elif not _is_plain(inner):
        raise UnsupportedError(f"{what} cannot be set: it holds an object of Keras, which is no plain data.")
    else:
        new = fitting(value, inner, what)
        for text in _texts(new):
            _word(text, WORDS | ACTIVATIONS, what)
    if isinstance(config, list | tuple):
        return [new if i == int(key) else old for i, old in enumerate(cast("Sequence[Any]", config))]
    return {**config, key: new}


def check_config(config: Any, what: str) -> None:
    """Refuse the config of a new layer that holds more than plain data and Keras's own initializers.

    Raises:
        SettingError: It does; the entry is named.
    """
    if not isinstance(config, Mapping) or len(cast("Mapping[Any, Any]", config)) > _MOST_ENTRIES:
        raise SettingError(f"{what}: a layer's config is a short object of settings; received {config!r:.100}.")
    for key, value in cast("Mapping[Any, Any]", config).items():
        name = f"{what}: its entry {key!r}"
        if not isinstance(key, str) or key in OBJECT_KEYS:
            raise SettingError(f"{name} is no setting of a layer.")
        if key.endswith("initializer") and isinstance(value, Mapping):
            _check_initializer(cast("Mapping[Any, Any]", value), name)
            continue
        if not _is_plain(value) or isinstance(value, Mapping):
            raise SettingError(
                f"{name} is a number, a word or a short list of these, or for an initializer "
                '{"class_name": "HeNormal", "config": {}}; objects of Keras, and code, are not made from a recipe.'
            )
        if key == "name":
            continue
        allowed = ACTIVATIONS if key in ACTIVATION_KEYS else WORDS | INITIALIZERS | ACTIVATIONS | _DTYPES
        for text in _texts(value):
            if not (key == "equation" and re.fullmatch(EQUATION, text)) and not (
                key == "bias_axes" and re.fullmatch("[a-zA-Z]{1,24}", text)
            ):
                _word(text, allowed, name)


def _check_initializer(value: Mapping[Any, Any], name: str) -> None:
    inner = value.get("config", {})
    kind, module = value.get("class_name"), value.get("module", "keras.initializers")
    if (
        not isinstance(kind, str)
        or kind not in INITIALIZERS
        or module != "keras.initializers"
        or value.get("registered_name") is not None
        or not isinstance(inner, Mapping)
    ):
        raise SettingError(f"{name} is no initializer of Keras's own: {dict(value)!r:.100}.")
    for key, entry_of in cast("Mapping[Any, Any]", inner).items():
        words = isinstance(entry_of, str) and entry_of in ("fan_in", "fan_out", "fan_avg", "uniform", "normal")
        words = words or entry_of in ("truncated_normal", "untruncated_normal")
        if not words and not (entry_of is None or type(entry_of) in (bool, int, float)):
            raise SettingError(f"{name}: {key!r} is {entry_of!r:.60}, no setting of an initializer.")


def _word(text: str, allowed: Collection[str], what: str) -> str:
    if text not in allowed:
        near = did_you_mean(text, sorted(allowed))
        raise SettingError(f"{what}: {text!r:.60} is none of Keras's words for it. {near}")
    return text


def _is_plain(value: Any, level: int = 0) -> bool:
    if isinstance(value, list | tuple):
        entries = cast("Sequence[Any]", value)
        return level < MOST_LEVELS and len(entries) <= _MOST_ENTRIES and all(_is_plain(e, level + 1) for e in entries)
    return value is None or type(value) in (bool, int, float, str)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[Any]", value):
            yield from _texts(one)


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
