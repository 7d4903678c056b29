"""Tensors of any Keras backend as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.library import keras


def array_of(value: Any) -> NDArray[Any]:
    """Return a variable or a tensor of any backend as an array; bfloat16 has the dtype of that name."""
    return np.asarray(keras.ops.convert_to_numpy(value))
