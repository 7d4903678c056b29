"""Letting Keras compute in float64, on every backend, for as long as outputs are compared."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Generator
from typing import Any

from genewright.backends.keras.library import keras
from genewright.process_state import Here, StandIn

# Facts read in Keras 3.15: on JAX and torch `keras.backend.result_type` answers float32 for float64, by one entry of a
# table, because JAX knows float64 only when told to (`jax.enable_x64`, which holds for one thread). TensorFlow computes
# as it is asked to.
_TABLE = "keras.src.backend.common.dtypes"
_NAME = "BIT64_TO_BIT32_DTYPE"


@contextlib.contextmanager
def double_precision() -> Generator[bool]:
    """Let results of float64 be float64 inside the block, for this thread; other threads notice nothing.

    Yields:
        Whether this version of Keras can be told so.
    """
    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "jax":
            stack.enter_context(importlib.import_module("jax").enable_x64(True))
        stand_in = None if _keeps_doubles() else _table()
        if stand_in is not None:
            stack.enter_context(stand_in.inside())
        yield _keeps_doubles()


def _keeps_doubles() -> bool:
    return bool(keras.backend.result_type("float64", "float64") == "float64")


@functools.cache
def _table() -> StandIn | None:
    """Return what stands in for the table of dtypes that Keras makes narrower; None where a version has none."""
    try:
        module = importlib.import_module(_TABLE)
    except ImportError:
        return None
    return StandIn(module, _NAME, _Widened) if isinstance(getattr(module, _NAME, None), dict) else None


class _Widened(dict[str, Any]):
    """The table as it is on other threads; on threads that are inside float64 stays float64."""

    def __init__(self, table: dict[str, Any], here: Here) -> None:
        super().__init__(table)
        self._here = here

    def __getitem__(self, key: str) -> Any:
        return key if key == "float64" and self._here else super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return what a dtype becomes, as `dict.get` does."""
        return self[key] if key in self else default  # noqa: SIM401  # dict.get would not ask __getitem__
