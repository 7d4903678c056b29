"""What the operators' formulas say, in plain NumPy: independent of the core that applies edits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright import noise

SEED = 246


def stream(operator: str, tensor: str = "weight", *, seed: int = SEED, path: str = "/0") -> noise.Stream:
    """Return the stream of a lone operator for a tensor."""
    return noise.derive(seed, name=tensor, path=path, salt=operator)


def hits(operator: str, rate: float, shape: tuple[int, ...], tensor: str = "weight") -> NDArray[np.bool_]:
    """Return which elements are hit."""
    hit = np.zeros(int(np.prod(shape)), np.bool_)
    hit[noise.mask(stream(operator, tensor), rate, hit.size)] = True
    return hit.reshape(shape)


def draws(operator: str, distribution: str, shape: tuple[int, ...], tensor: str = "weight") -> NDArray[np.float64]:
    """Return the draw of every element, in float64 from float32's."""
    drawn = noise.draw(stream(operator, tensor), distribution, range(int(np.prod(shape))), "float32")
    return drawn.astype(np.float64).reshape(shape)


def layer(rows: int = 40, columns: int = 25, dtype: torch.dtype = torch.float32) -> nn.Linear:
    """Return a linear layer whose values come from no generator: all signs, several scales, zeros."""
    made = nn.Linear(columns, rows, dtype=dtype)
    count = torch.arange(rows * columns, dtype=torch.float64)
    values = ((count * 37) % 101 - 50) / 64 * (2.0 ** ((count * 7) % 5 - 2))
    with torch.no_grad():
        made.weight.copy_(values.reshape(rows, columns))
        made.bias.copy_(torch.arange(rows, dtype=torch.float64) / 32 - 0.5)
    return made


def array(tensor: torch.Tensor) -> NDArray[Any]:
    """Return a tensor's values in float64."""
    return tensor.detach().double().numpy().copy()


def assert_close(made: torch.Tensor, wanted: NDArray[np.float64]) -> None:
    """Hold a float32 tensor to a formula computed in float64: two roundings of the terms, one of the sum."""
    scale = np.maximum(np.abs(wanted), 1e-30)
    terms = np.abs(array(made) - wanted)
    assert np.max(terms / np.maximum(scale, np.abs(wanted).max() * 2e-1)) < 2**-22
