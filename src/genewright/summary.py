"""What the values of a tensor look like: range, mean, spread and histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.distance import json_number
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.tensor import Tensor

_PART = 1 << 20  # elements looked at a time
_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True)
class TensorSummary:
    """The values of one tensor, described over its finite elements; NaN where there are none.

    Attributes:
        tensor: What is known of the tensor.
        least: The smallest value.
        mean: The mean, in float64.
        largest: The largest value.
        std: The standard deviation, in float64.
        nonfinite: Number of elements that are NaN or infinite.
        histogram: Counts in equal bins from `least` to `largest`; empty where there is nothing to count.
    """

    tensor: Tensor
    least: float = math.nan
    mean: float = math.nan
    largest: float = math.nan
    std: float = math.nan
    nonfinite: int = 0
    histogram: tuple[int, ...] = ()

    def sparkline(self) -> str:
        """Return the histogram as a line of bars; a bin that holds anything shows.

        >>> about = {"role": "kernel", "layer": "", "layer_type": "", "trainable": True}
        >>> tensor = Tensor(name="w", shape=(5,), dtype="float32", **about)
        >>> TensorSummary(tensor=tensor, histogram=(1, 4, 0)).sparkline()
        '▂█ '
        """
        top = max(self.histogram, default=0)
        return "".join(_BARS[math.ceil(count / top * (len(_BARS) - 1))] for count in self.histogram)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON holds it."""
        return {
            "name": self.tensor.name,
            "aliases": list(self.tensor.aliases),
            "role": self.tensor.role,
            "shape": list(self.tensor.shape),
            "dtype": self.tensor.dtype,
            "trainable": self.tensor.trainable,
            "min": json_number(self.least),
            "mean": json_number(self.mean),
            "max": json_number(self.largest),
            "std": json_number(self.std),
            "nonfinite": self.nonfinite,
            "histogram": list(self.histogram),
        }


def summarize(network: Network, name: str, *, bins: int = 16) -> TensorSummary:
    """Describe the values of a tensor; a dtype without real numbers has a summary without numbers.

    Args:
        network: The network.
        name: The tensor's name.
        bins: Number of bins of the histogram.

    Raises:
        UnknownNameError: No tensor has this name.

    Example:
        >>> import torch
        >>> from genewright.backends import backend_of
        >>> net = torch.nn.Linear(3, 2)
        >>> summarize(backend_of(net).network(net), "bias").tensor.shape
        (2,)
    """
    tensor = network.tensor(name)
    try:
        values = network.read(tensor.name).reshape(-1)
    except UnsupportedError:
        return TensorSummary(tensor=tensor)
    if values.dtype.kind not in "fiub":
        return TensorSummary(tensor=tensor)
    parts = [values[start : start + _PART] for start in range(0, values.size, _PART)]
    count, total = 0, 0.0
    least, largest = math.inf, -math.inf
    for part in map(_finite, parts):
        if part.size:
            count += part.size
            total += float(part.sum())
            least, largest = min(least, float(part.min())), max(largest, float(part.max()))
    if not count:
        return TensorSummary(tensor=tensor, nonfinite=values.size)
    mean = total / count
    squares = 0.0
    histogram = np.zeros(bins, np.int64)
    # One value alone gets the middle of a range around it; a range too wide for float64 has no bins.
    span = (least, largest) if largest > least else (least - 1 - abs(least), least + 1 + abs(least))
    drawn = span[1] - span[0] < math.inf
    for part in map(_finite, parts):
        with np.errstate(over="ignore"):
            squares += float(((part - mean) ** 2).sum())
        if drawn:
            histogram += np.histogram(part, bins=bins, range=span)[0]
    return TensorSummary(
        tensor=tensor,
        least=least,
        mean=mean,
        largest=largest,
        std=math.sqrt(squares / count),
        nonfinite=values.size - count,
        histogram=tuple(int(n) for n in histogram) if drawn else (),
    )


def _finite(part: NDArray[Any]) -> NDArray[np.float64]:
    wide = part.astype(np.float64)
    return wide[np.isfinite(wide)]
