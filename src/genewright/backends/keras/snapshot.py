"""Snapshots of the layers and attributes of a Keras model, for an undo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from genewright.backends.keras.library import attributes_of, class_of
from genewright.backends.keras.members import layers_of
from genewright.backends.keras.tying import tell_torch

_LIST, _DICT, _SET = cast("Any", list), cast("Any", dict), cast("Any", set)
_DEEP = 4  # lists of dicts of lists: as deep as layers are named


def snapshot(model: Any) -> Callable[[], None]:
    """Snapshot the layers and attributes of a model, and return what restores them; values of variables are not kept.

    Variables that are resized are new ones, so the old ones keep their values.
    """
    kind = class_of(model)
    put_back = snapshot_attributes((model, *layers_of(model).values()))

    def restore() -> None:
        model.__class__ = kind
        put_back()
        tell_torch(model)

    return restore


def snapshot_attributes(layers: Iterable[Any]) -> Callable[[], None]:
    """Snapshot the attributes of these layers, and return what restores them."""
    kept: dict[int, tuple[Any, Any]] = {}
    for layer in layers:
        _keep(attributes_of(layer), kept, 0)
        _keep(attributes_of(layer._tracker), kept, 0)  # Keras's register of a layer's variables and layers

    def restore() -> None:
        for held, before in kept.values():
            if isinstance(held, list):
                _LIST.__setitem__(held, slice(None), before)  # a tracked list is locked
                continue
            kind_of = _DICT if isinstance(held, dict) else _SET
            kind_of.clear(held)
            kind_of.update(held, before)

    return restore


def _keep(value: Any, kept: dict[int, tuple[Any, Any]], depth: int) -> None:
    value = getattr(value, "__wrapped__", value)  # what TensorFlow wraps a dict in
    if depth > _DEEP or id(value) in kept:
        return
    if isinstance(value, list):
        copied = list(cast("list[Any]", value))
        kept[id(cast("Any", value))] = (value, copied)
        entries = copied
    elif isinstance(value, dict):
        known = dict(cast("dict[Any, Any]", value))
        kept[id(cast("Any", value))] = (value, known)
        entries = list(known.values())
    elif isinstance(value, set):
        kept[id(cast("Any", value))] = (value, set(cast("set[Any]", value)))
        return
    elif isinstance(value, tuple):
        entries = list(cast("tuple[Any, ...]", value))
    else:
        return
    for entry in entries:
        _keep(entry, kept, depth + 1)
