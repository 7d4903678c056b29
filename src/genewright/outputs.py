"""The outputs of a model on an example, and the largest relative difference of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]

TOLERANCE = 1e-9  # float64 throughout
TOLERANCE_SINGLE = 1e-5  # where a layer computes in float32 whatever it receives


@dataclass(frozen=True)
class Outputs:
    """The outputs of a model for an example.

    Attributes:
        tensors: The output tensors, float64 where the model allows.
        exact: Everything was computed in float64; otherwise some of it only to float32's precision.
    """

    tensors: list[NDArray[Any]]
    exact: bool

    @property
    def tolerance(self) -> float:
        """What rounding may change, relative to the largest output."""
        return TOLERANCE if self.exact else TOLERANCE_SINGLE


def largest_change(before: Outputs, after: Outputs) -> float:
    """Return the largest change of an output, relative to the largest magnitude of that output tensor.

    max|y' - y| / max|y| for each output tensor, and the largest of these; infinite where shapes differ, where one is
    NaN or infinite and the other is not, or where an output is zero and then is not.
    """
    if len(before.tensors) != len(after.tensors):
        return float("inf")
    return max((_change(old, new) for old, new in zip(before.tensors, after.tensors, strict=True)), default=0.0)


def _change(old: NDArray[np.generic], new: NDArray[np.generic]) -> float:
    if old.shape != new.shape:
        return float("inf")
    if old.dtype.kind not in "fc":
        return 0.0 if np.array_equal(old, new) else float("inf")
    finite = np.isfinite(old)
    if not np.array_equal(finite, np.isfinite(new)) or not np.array_equal(old[~finite], new[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    before, after = cast(Numbers, old[finite]), cast(Numbers, new[finite])
    difference = float(np.abs(after - before).max())
    largest = float(np.abs(before).max())
    if difference == 0:
        return 0.0
    return difference / largest if largest else float("inf")
