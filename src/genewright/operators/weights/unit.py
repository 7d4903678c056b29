"""The unit of a strength that is relative to a tensor: its spread, and what stands in where it has none.

The elements of a fresh bias, gain or gate are all equal. In units of their standard deviation, zero, no noise would
ever reach them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.network import Network
from genewright.spread import spread
from genewright.tensor import COMPLEX, FLOATS, Tensor


def unit_of(tensor: Tensor, network: Network) -> float:
    """Return the standard deviation of a tensor's elements, or what stands in for it.

    For a tensor of equal elements that is the first of these that there is:

    - that of the largest parameter of the same layer that has one: the kernel's, for a bias;
    - its own magnitude, where that is not zero: 1 for a fresh gain, 1e-5 for a fresh layer scale;
    - the largest magnitude among such parameters of the same layer: the gain's, for a fresh shift;
    - 1 / sqrt(inputs of a unit) for a kernel of zeros, as a fresh layer draws them;
    - 1.

    Args:
        tensor: A tensor of floating or complex numbers.
        network: What it is part of.

    Returns:
        The unit; NaN or infinity where the tensor holds one.
    """
    values = _numbers(tensor, network)
    if not _is_constant(values):
        return spread(values)
    alike = [
        other
        for other in network.tensors.values()
        if other.layer == tensor.layer and other.name != tensor.name and other.dtype in (*FLOATS, *COMPLEX)
    ]
    parameters = sorted(
        (other for other in alike if other.role not in ("statistic", "buffer")),
        key=lambda other: (-other.size, other.name),
    )
    magnitudes = [_magnitude(values)]
    for other in parameters:
        beside = _numbers(other, network)
        size = spread(beside) if not _is_constant(beside) else 0.0
        if 0 < size < math.inf:
            return size
        magnitudes.append(_magnitude(beside) if size == 0 else 0.0)
    own, *others = magnitudes
    initial = 1 / math.sqrt(tensor.fan_in) if tensor.fan_in else 1.0
    return own or max(others, default=0.0) or initial


def _numbers(tensor: Tensor, network: Network) -> NDArray[Any]:
    """Return the elements as real numbers; a complex one is two."""
    values = network.read(tensor.name)
    return values.reshape(-1).view(values.real.dtype) if tensor.dtype in COMPLEX else values.reshape(-1)


def _is_constant(values: NDArray[Any]) -> bool:
    return values.size > 0 and bool(np.isfinite(values[0])) and bool((values == values[0]).all())


def _magnitude(values: NDArray[Any]) -> float:
    return abs(float(values[0])) if values.size else 0.0
