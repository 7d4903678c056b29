"""What layers hold, remembered, so that it can be put back as it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from genewright.apply import Undo
from genewright.backends.keras.library import attributes_of

_LIST, _DICT, _SET = cast("Any", list), cast("Any", dict), cast("Any", set)
_DEEP = 4  # lists of dicts of lists: as deep as layers are named


def remembered(layers: Iterable[Any]) -> Undo:
    """Return what puts the attributes of layers back, lists, dicts and sets included, variables' values not."""
    kept: dict[int, tuple[Any, Any]] = {}
    for layer in layers:
        _keep(attributes_of(layer), kept, 0)
        _keep(attributes_of(layer._tracker), kept, 0)  # Keras's register of a layer's variables and layers

    def undo() -> None:
        for held, before in kept.values():
            if isinstance(held, list):
                _LIST.__setitem__(held, slice(None), before)  # a tracked list is locked
                continue
            kind = _DICT if isinstance(held, dict) else _SET
            kind.clear(held)
            kind.update(held, before)

    return undo


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
