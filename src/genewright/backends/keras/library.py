"""Keras itself and its tensors as arrays, typed as Any: it ships no complete types, and need not be installed.

Only `genewright.backends.keras` imports this, and that package is imported only when the user has imported Keras, or
asks for a whole Keras model from a file.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import UnsupportedError
from genewright.start_up_lines import held_back


def error_text(error: BaseException) -> str:
    """Return what an error of Keras says, on one line, without colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:600]


def attributes_of(thing: Any) -> dict[str, Any]:
    """Return the attributes that an object of Keras holds itself, for reading and writing."""
    return cast("dict[str, Any]", vars(thing))


def class_of(thing: Any) -> Any:
    """Return an object's class."""
    return cast("Any", type(thing))


def _imported() -> Any:
    try:
        with held_back():
            return importlib.import_module("keras")
    except Exception as error:
        named = os.environ.get("KERAS_BACKEND")
        chosen = f"KERAS_BACKEND={named}" if named else "its default backend"
        raise UnsupportedError(
            f"Keras does not start with {chosen}: {error_text(error)} Install Keras and a backend "
            "(pip install 'genewright[keras]'), and set KERAS_BACKEND to tensorflow, jax or torch, whichever is "
            "installed."
        ) from error


keras: Any = _imported()


def array_of(value: Any) -> NDArray[Any]:
    """Return a variable or a tensor of any backend as an array; bfloat16 has the dtype of that name."""
    held = value.value if isinstance(value, keras.Variable) else value
    if keras.backend.backend() == "tensorflow" and hasattr(held, "numpy"):
        return np.asarray(held.numpy())  # NumPy 2 warns of how it would have to ask TensorFlow's variables itself
    return np.asarray(keras.ops.convert_to_numpy(held))
