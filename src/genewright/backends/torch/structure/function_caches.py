"""Caches of functions beside a model (`functools.lru_cache`): what a run on shapes leaves there is taken out again.

Tables of positions are often kept so, by size and device: a tensor without values would be handed to the user's next
run, and the second run on shapes would have fewer operations than the first.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

_Cache: Any = type(functools.lru_cache(len))


def clear_shapes(model: nn.Module) -> None:
    """Clear those caches of functions, in the files that `model`'s layers come from, that hold tensors without values.

    Args:
        model: A module that has run on meta or fake tensors.
    """
    kinds = dict.fromkeys(kind for module in model.modules() for kind in type(module).__mro__ if _is_written(kind))
    files = dict.fromkeys(sys.modules.get(kind.__module__) for kind in kinds)
    for held in (*files, *kinds):
        for cache in _caches(vars(held).values() if held is not None else ()):
            if cache.cache_info().currsize and _holds_shapes(gc.get_referents(cache)):
                cache.cache_clear()


def _is_written(kind: type) -> bool:
    return not kind.__module__.startswith(("torch.", "builtins"))


def _caches(values: Iterable[object]) -> Iterator[Any]:
    """Yield the caches among some values, and those that a function among them wraps."""
    for value in tuple(values):
        inner: Any = getattr(value, "__func__", value)  # of static and class methods
        if isinstance(inner, _Cache):
            yield inner
        for cell in getattr(inner, "__closure__", None) or ():
            try:
                held: object = cell.cell_contents
            except ValueError:  # it is empty yet
                continue
            if isinstance(held, _Cache):
                yield held


def _holds_shapes(values: Iterable[object], depth: int = 3) -> bool:
    for value in values:
        if isinstance(value, torch.Tensor):
            if value.is_meta or isinstance(value, FakeTensor):
                return True
        elif depth and isinstance(value, dict | tuple | list):  # an unbounded cache is a dict, a result may be several
            inner = cast("dict[Any, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
            if _holds_shapes(inner, depth - 1):
                return True
    return False
