"""What a model's modules hold, watched: whether a run has left anything behind in them."""

from __future__ import annotations

import operator
import types
from collections import deque
from collections.abc import Collection
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.tensors import named_layers

_ATOMS = (
    bool, int, float, complex, str, bytes, type(None), type, range, slice, types.ModuleType, types.FunctionType,
    types.MethodType, types.BuiltinFunctionType,
)  # fmt: skip
_LEFT = frozenset({"_parameters", "_modules"})  # tensors that mutate, and layers that are looked at themselves


class Held:
    """The attributes of modules, the entries of containers in them, and the versions of tensors that are no parameters.

    Args:
        model: Any module.

    Example:
        >>> net = nn.BatchNorm1d(2)
        >>> held = Held(net)
        >>> versions = held.versions()
        >>> _ = net(torch.zeros(3, 2))
        >>> held.same(versions)
        False
    """

    def __init__(self, model: nn.Module) -> None:
        self._seen: dict[int, Any] = {}  # kept alive, so that no id is given twice
        self._noted: list[tuple[Collection[Any], tuple[Any, ...]]] = []
        self._empty: list[Collection[Any]] = []
        self._tensors: list[torch.Tensor] = []
        for _, module in named_layers(model):
            self._seen[id(module)] = module
            held = vars(module)
            self._note(held.values())
            for key, value in held.items():
                if key not in _LEFT and value is not None:
                    self._look(value)

    def versions(self) -> tuple[int, ...]:
        """Return how often each tensor has been written, to be given to `same`."""
        return tuple(tensor._version for tensor in self._tensors)  # pyright: ignore[reportPrivateUsage]

    def same(self, versions: tuple[int, ...]) -> bool:
        """Whether everything is the object that it was, and no tensor has been written since."""
        for entries, before in self._noted:
            if len(entries) != len(before) or not all(map(operator.is_, entries, before)):
                return False
        return versions == self.versions() and not any(self._empty)

    def _look(self, value: Any) -> None:
        if isinstance(value, _ATOMS) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, torch.Tensor):
            if not isinstance(value, nn.Parameter) and not value.is_inference():
                self._tensors.append(value)
        elif isinstance(value, dict):
            held = cast("dict[Any, Any]", value)
            self._look_into(held.values() if held else held)
        elif isinstance(value, list | deque | set):
            self._look_into(cast("list[Any]", value))
        elif isinstance(value, tuple | frozenset):
            for entry in cast("tuple[Any, ...]", value):
                self._look(entry)
        elif isinstance(getattr(value, "__dict__", None), dict) and type(value).__module__.partition(".")[0] != "torch":
            self._look_into(cast("dict[str, Any]", vars(value)).values())

    def _look_into(self, entries: Collection[Any]) -> None:
        self._note(entries)
        for entry in entries:
            self._look(entry)

    def _note(self, entries: Collection[Any]) -> None:
        if entries:
            self._noted.append((entries, tuple(entries)))
        else:
            self._empty.append(entries)
