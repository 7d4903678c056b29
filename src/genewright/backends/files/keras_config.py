"""The architecture that a file of Keras holds as JSON: looked at, never executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from genewright.errors import FileError

# Layers whose config holds code, or names a file that is code.
_CODE = {
    "TorchModuleWrapper": "a pickled torch module",
    "TFSMLayer": "a TensorFlow SavedModel",
    "JaxLayer": "a function of JAX",
    "FlaxLayer": "a module of Flax",
}


class LayerConfigs:
    """The layers of a model's config by their names, nested models by path.

    Args:
        config: ``{"class_name": ..., "config": {...}}``; empty where nothing is known.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._layers: dict[str, Mapping[str, Any]] = dict(_layers(config, ""))

    def class_of(self, path: str) -> str:
        """Return the class name of a layer, or ""."""
        return str(self._layers.get(path, {}).get("class_name", ""))

    def config_of(self, path: str) -> Mapping[str, Any] | None:
        """Return the config of a layer, or None."""
        return self._layers.get(path, {}).get("config")


def refuse_code(config: Any, place: str) -> None:
    """Refuse a config that holds code.

    Raises:
        FileError: It does; the layer and the reason are named.
    """
    for entry in _objects(config):
        kind = entry.get("class_name")
        about = entry.get("config")
        if not isinstance(kind, str):
            continue
        name = cast(Mapping[str, Any], about).get("name") if isinstance(about, Mapping) else None
        who = f"the layer {name!r} of class {kind}"
        if kind == "__lambda__" or (kind == "Lambda" and _holds_code(about)):
            raise FileError(
                f"{place}: {who if kind == 'Lambda' else 'a lambda in it'} is Python code, which loading would "
                "execute; files are read in safe mode only. Make it a layer class that is registered with "
                "keras.saving.register_keras_serializable, or load the model yourself, if you trust the file, and "
                "give the model."
            )
        if kind in _CODE:
            raise FileError(
                f"{place}: {who} is {_CODE[kind]}, which loading would execute; files are read in safe mode only. "
                "Load the model yourself, if you trust the file, and give the model."
            )


def _holds_code(config: Any) -> bool:
    function = cast(Mapping[str, Any], config).get("function") if isinstance(config, Mapping) else None
    named = isinstance(function, str) or (
        isinstance(function, Mapping) and cast(Mapping[str, Any], function).get("class_name") == "function"
    )
    return not named


def _objects(config: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(config, Mapping):
        entry = cast(Mapping[str, Any], config)
        yield entry
        for value in entry.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in cast(list[Any], config):
            yield from _objects(value)


def _layers(config: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inner = config.get("config")
    held = cast(Mapping[str, Any], inner).get("layers") if isinstance(inner, Mapping) else inner
    if held is None and isinstance(inner, Mapping):
        held = [cast(Mapping[str, Any], inner).get("layer")]  # what a wrapper holds
    if not isinstance(held, list):
        return
    for layer in cast(list[Any], held):
        if isinstance(layer, Mapping):
            entry = cast(Mapping[str, Any], layer)
            about = entry.get("config")
            name = cast(Mapping[str, Any], about).get("name") if isinstance(about, Mapping) else None
            place = f"{path}.{name}" if path else str(name)
            yield place, entry
            yield from _layers(entry, place)
