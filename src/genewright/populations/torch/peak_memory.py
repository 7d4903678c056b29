"""How much memory a forward pass takes, measured as tensors come and go."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves  # pyright: ignore[reportUnknownVariableType]


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of what operations return, for as long as it lives.

    Attributes:
        peak: The most that was alive at once.
        operations: How often one made something: views are none.
        total: The bytes of all that was made.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.peak = self.total = self.operations = 0
        self._now = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {_key(one) for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)}
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor) and one.layout == torch.strided and _key(one) not in before:
                self._note(one.untyped_storage())
        return made

    def _note(self, storage: Any) -> None:
        key, size = _key_of(storage), storage.nbytes()
        if key in self._alive:
            return
        self._alive.add(key)
        self.operations += 1
        self._now += size
        self.total += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._gone, key, size).atexit = False

    def _gone(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self._now -= size


def _key(tensor: torch.Tensor) -> int:
    return _key_of(tensor.untyped_storage()) if tensor.layout == torch.strided else 0


def _key_of(storage: Any) -> int:
    return storage._cdata
