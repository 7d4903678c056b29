"""Sums of squares of a network's tensors, each worked out once for all layers and measures that ask."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from genewright.neurons.registry import Surroundings
from genewright.observation import Numbers


def squares_along(around: Surroundings, tensor: str, axis: int) -> Numbers:
    """Return, for every place along an axis of a tensor, the sum of its squares there, in float64."""
    key = "squares", tensor, axis
    if key not in around.memo:
        values: Any = around.network.read(tensor)
        axes = list(range(values.ndim))
        if values.dtype.kind != "f" or values.dtype.itemsize < 4:
            values = values.astype(np.float64)
        around.memo[key] = np.einsum(values, axes, values, axes, [axis], dtype=np.float64)  # converts as it goes
    return cast(Numbers, around.memo[key])
