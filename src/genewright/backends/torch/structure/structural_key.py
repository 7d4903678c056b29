"""The structural key of a model: everything that a trace on meta tensors depends on, so that it can be cached."""

from __future__ import annotations

import functools
import types
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.structure.propagation import RULES
from genewright.backends.torch.tensors import named_layers

_PLAIN = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)
_CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
_CONTAINERS = (dict, OrderedDict, list, tuple, set)
_LEFT_OUT = ("training", "_modules", "_genewright_recipe")  # a traced copy is in evaluation mode, and has no recipe
_DEEPEST, _MOST = 12, 200_000


def structural_key(model: nn.Module, example: Any) -> Hashable | None:
    """Return a key that two models share only if they have the same trace; None where that cannot be told.

    Classes, functions and hooks count by identity; numbers, texts and configurations by value; tensors by shape, dtype,
    device and memory that they share. A copy of a model has its form, and so has a child that differs in weights.
    A rule that is registered, or replaced, gives every model another form.

    Args:
        model: A module.
        example: What it is run on.
    """
    walk = _Walk()
    numbers: dict[int, int] = {}
    try:
        parts: list[Hashable] = [tuple(RULES.items()), walk.plain(example)]  # what is kept has been read by rules
        for name, module in named_layers(model):
            numbers[id(module)] = len(numbers)
            held = {key: value for key, value in vars(module).items() if key not in _LEFT_OUT}
            parts.append((name, type(module), type(module).forward, walk.plain(held)))
    except _NoKeyError:
        return None
    every = cast("Iterable[tuple[str, nn.Module]]", model.named_modules(remove_duplicate=False))
    return (*parts, *((name, numbers[id(module)]) for name, module in every))


class _NoKeyError(Exception):
    """An object that has no key: it cannot be compared by its contents."""


class _Walk:
    """Turns what objects hold into something that can be compared."""

    def __init__(self) -> None:
        self._memories: dict[Hashable, int] = {}
        self._known: dict[int, tuple[Any, Hashable]] = {}  # the object too: a freed one would lend its id to another
        self._count = 0

    def plain(self, value: Any, depth: int = 0) -> Hashable:
        """Return an object's content.

        Raises:
            _NoKeyError: It cannot be told.
        """
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST:
            raise _NoKeyError
        if isinstance(value, _PLAIN):
            return type(cast(object, value)), repr(cast(object, value))
        if isinstance(value, _CODE):
            return cast(Hashable, value)
        if isinstance(value, weakref.ref):
            return "reference"
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        kind = type(cast(object, value))
        if kind in _CONTAINERS and not value and not getattr(value, "__dict__", None):
            return kind, "empty"  # every module has a dozen, for hooks
        if isinstance(value, nn.Module | types.MethodType):
            raise _NoKeyError  # a layer that is not registered, or one that is bound to something
        if id(value) not in self._known:
            self._known[id(value)] = value, self._content(value, depth + 1)
        return self._known[id(value)][1]

    def _content(self, value: Any, depth: int) -> Hashable:
        kind = cast(Any, type(cast(object, value)))
        inside: Hashable = None
        if isinstance(value, Mapping):
            entries = cast("Mapping[Any, Any]", value).items()
            inside = tuple((self.plain(key, depth), self.plain(entry, depth)) for key, entry in entries)
        elif isinstance(value, tuple | list):
            inside = tuple(self.plain(entry, depth) for entry in cast("list[Any]", value))
        elif isinstance(value, set | frozenset):
            inside = frozenset(self.plain(entry, depth) for entry in cast("frozenset[Any]", value))
        elif isinstance(value, functools.partial):
            made = cast("functools.partial[Any]", value)
            inside = self.plain((made.func, made.args, made.keywords), depth)
        elif not hasattr(value, "__dict__") or _has_slots(kind):
            raise _NoKeyError
        return (
            kind,
            inside,
            self.plain(vars(cast(object, value)), depth) if hasattr(cast(object, value), "__dict__") else None,
        )

    def _tensor(self, tensor: torch.Tensor) -> Hashable:
        if tensor.layout != torch.strided:
            raise _NoKeyError
        memory = tensor.untyped_storage()._cdata, tensor.storage_offset()  # pyright: ignore[reportPrivateUsage]
        number = self._memories.setdefault(memory, len(self._memories))
        shape = tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad
        return number, type(tensor), shape, self.plain(vars(tensor), 1)


def _has_slots(kind: type) -> bool:
    return any("__slots__" in base.__dict__ and base.__dict__["__slots__"] for base in kind.__mro__)
