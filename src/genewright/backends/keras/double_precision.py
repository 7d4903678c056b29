"""Letting Keras compute in float64, on every backend, for as long as outputs are compared."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Generator
from typing import Any

from genewright.backends.keras.library import keras

# Facts read in Keras 3.15: on JAX and torch `keras.backend.result_type` answers float32 for float64, by one entry of a
# table, because JAX knows float64 only when told to (`jax.enable_x64`). TensorFlow computes as it is asked to.
_TABLE = "keras.src.backend.common.dtypes"


@contextlib.contextmanager
def double_precision() -> Generator[bool]:
    """Let results of float64 be float64 inside the block; afterwards everything is as it was.

    Yields:
        Whether this version of Keras can be told so.
    """
    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "jax":
            stack.enter_context(importlib.import_module("jax").enable_x64(True))
        if not _keeps_doubles():
            table = _narrowed()
            if table.get("float64") == "float32":
                stack.callback(table.__setitem__, "float64", "float32")
                table["float64"] = "float64"
        yield _keeps_doubles()


def _keeps_doubles() -> bool:
    return bool(keras.backend.result_type("float64", "float64") == "float64")


def _narrowed() -> dict[str, Any]:
    """Return the table of dtypes that Keras makes narrower; an empty one where a version has none."""
    try:
        return importlib.import_module(_TABLE).BIT64_TO_BIT32_DTYPE
    except (ImportError, AttributeError):
        return {}
