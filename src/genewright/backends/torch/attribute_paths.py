"""Read and set attributes by dotted path, safely: recipes may be hostile.

A path leads through layers, objects that hold settings, and lists, tuples and dicts in these; through nothing else.
Names are looked up in what an object itself holds (`vars`), never in its class: a method would lead to the globals of
its module, and these to `sys`. What is held decides, not what it is called.
"""

from __future__ import annotations

import enum
import types
from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]  # no public base class

from genewright.errors import UnknownNameError, UnsupportedError
from genewright.journal import Journal
from genewright.names import did_you_mean
from genewright.plain import check_name, fitting

_SCALARS = (type(None), bool, int, float, str)
# What may lie beside settings: values that hold none themselves, and are neither stepped through nor exchanged.
_BESIDE = (torch.dtype, torch.device, enum.Enum, type, types.FunctionType, types.BuiltinFunctionType)
_MOST_LEVELS = 8


def value_at(owner: Any, path: str, *, layer: str = "") -> Any:
    """Return what `path` leads to from `owner`, such as "config.layer_types.0".

    Args:
        owner: A layer, or an object that holds settings.
        path: Names and positions with dots between them.
        layer: The owner's name, for messages.

    Raises:
        UnknownNameError: Something on the way is not there.
        UnsupportedError: The way leads through something else than layers and their settings.
    """
    who = _who(owner, layer)
    for part in path.split("."):
        owner = _step(owner, part, path, who)
    return owner


def set_value(owner: Any, path: str, value: Any, journal: Journal, *, layer: str = "") -> None:
    """Set what `path` leads to, where that is plain data; the journal remembers what holds it.

    An entry of a tuple gives a new tuple in its place. Torch's convolutions keep their padding a second time, in the
    form in which `torch.nn.functional.pad` takes it; that follows.

    Args:
        owner: A layer, or an object that holds settings.
        path: Names and positions with dots between them.
        value: None, a bool, int, float or str, or lists and dicts of these, of the old value's type.
        journal: Remembers what changes.
        layer: The owner's name, for messages.

    Raises:
        UnknownNameError: It is not there: only what exists is set.
        UnsupportedError: It is no plain data of a layer or of its settings.
        SettingError: The value is of another type than the old one.
    """
    who = _who(owner, layer)
    head, _, last = path.rpartition(".")
    holder = value_at(owner, head, layer=layer) if head else owner
    old = _step(holder, last, path, who)
    if not is_settings(old) or _is_object(old):
        raise UnsupportedError(f"{who}: {path!r} cannot be set: a {type(old).__name__} is no plain data.")
    if isinstance(holder, _ConvNd) and last == "padding" and old == "valid":
        old = (0,) * len(holder.kernel_size)  # the word says so
    new = fitting(value, old, f"{who}: {path!r}")
    if isinstance(holder, tuple):
        entries = list(cast("tuple[Any, ...]", holder))
        entries[int(last)] = new
        set_value(owner, head, entries, journal, layer=layer)
        return
    _put(holder, last, new, journal)
    if isinstance(holder, _ConvNd):
        _repeat_padding(holder)


def is_settings(value: Any, level: int = 0) -> bool:
    """Whether a value is plain data, or an object that holds nothing but such: what a library calls a config.

    A mapping of globals is none, for it holds modules; a logger or a thread is none, for it holds locks.
    """
    if type(value) in _SCALARS:
        return True
    if level > _MOST_LEVELS:
        return False
    parts = _parts_of(value)
    return parts is not None and all(isinstance(one, _BESIDE) or is_settings(one, level + 1) for one in parts)


def _parts_of(value: Any) -> Iterable[Any] | None:
    """Return what a container or an object consists of; None of anything else."""
    kind = cast(Any, type(value))
    if kind in (dict, OrderedDict):
        return (part for item in value.items() for part in item)
    if kind in (list, tuple, set, frozenset, torch.Size) or (isinstance(value, tuple) and hasattr(kind, "_fields")):
        return cast("Iterable[Any]", value)
    return vars(value).values() if _is_object(value) else None


def _is_object(value: Any) -> bool:
    """Whether a value is an instance of a class that is written in Python, and holds its attributes in a dict."""
    if isinstance(value, (*_SCALARS, *_BESIDE, nn.Module, types.ModuleType, types.MethodType)):
        return False
    if type(value) is types.SimpleNamespace:
        return True
    made = type(value).__new__
    return (made is object.__new__ or isinstance(made, types.FunctionType)) and isinstance(
        getattr(value, "__dict__", None), dict
    )


def _step(owner: Any, part: str, path: str, who: str) -> Any:
    check_name(part, path, who)
    if not isinstance(owner, nn.Module) and not is_settings(owner):
        raise UnsupportedError(
            f"{who}: {path!r} leads through a {type(cast(object, owner)).__name__} on the way to {part!r}. A path "
            "leads through layers and the settings that they hold; through no function, class or module."
        )
    held = _held(owner)
    key = _key(owner, held, part)
    if key is None:
        names = [str(name) for name in held if not str(name).startswith("_")]
        raise UnknownNameError(
            f"{who}: a {type(cast(object, owner)).__name__} holds no {part!r} itself. {did_you_mean(part, names)}"
        )
    return held[key]


def _held(owner: Any) -> Mapping[Any, Any]:
    """Return what a layer, an object or a container holds, by name, key or position."""
    if isinstance(owner, nn.Module):
        children = {name: child for name, child in vars(owner)["_modules"].items() if child is not None}
        return {**vars(owner), **children}
    if isinstance(owner, list | tuple):
        return dict(enumerate(cast("list[Any]", owner)))
    return cast("Mapping[Any, Any]", owner if isinstance(owner, dict) else vars(owner) if _is_object(owner) else {})


def _key(owner: Any, held: Mapping[Any, Any], part: str) -> Any:
    """Return the key that a name stands for, or None; a config of transformers may know one under another name."""
    if part in held:
        return part
    if isinstance(owner, dict | list | tuple):
        return next((key for key in held if type(key) is int and str(key) == part), None)
    renamed: Any = getattr(cast(Any, type(owner)), "attribute_map", None)
    other = cast("dict[str, Any]", renamed).get(part) if isinstance(renamed, dict) else None
    return other if isinstance(other, str) and other in held and not other.startswith("_") else None


def _put(holder: Any, part: str, value: Any, journal: Journal) -> None:
    """Write where `_step` has read: into what holds it, past properties and past what a class does on writing."""
    if isinstance(holder, MutableSequence):
        journal.keep(holder)
        holder[int(part)] = value
        return
    held = cast("MutableMapping[Any, Any]", holder if isinstance(holder, dict) else vars(holder))
    journal.keep(held)
    held[_key(holder, held, part)] = value


def _repeat_padding(layer: _ConvNd) -> None:
    """Set what torch's constructor derives from padding, window and dilation."""
    held = vars(layer)
    name = "_reversed_padding_repeated_twice"
    old = held.get(name)
    window, dilation = layer.kernel_size, layer.dilation
    if isinstance(layer.padding, str):
        around = [d * (k - 1) if layer.padding == "same" else 0 for k, d in zip(window, dilation, strict=True)]
        held[name] = [half for total in reversed(around) for half in (total // 2, total - total // 2)]
    else:
        held[name] = type(old)(p for p in reversed(layer.padding) for _ in range(2)) if old is not None else None


def _who(owner: Any, layer: str) -> str:
    kind = type(cast(object, owner)).__name__
    return f"{layer!r} ({kind})" if layer else f"The {kind}"
