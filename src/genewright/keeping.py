"""Holding an operator to its claim that it keeps the function."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.backend import Witness
from genewright.errors import FunctionError
from genewright.operator import Operator

Numbers = NDArray[np.floating[Any]]

TOLERANCE = 1e-9  # float64 throughout
TOLERANCE_SINGLE = 1e-5  # where a layer computes in float32 whatever it is given


def largest_change(before: Witness, after: Witness) -> float:
    """Return the largest change of an output, relative to the largest magnitude of that output tensor.

    max|y' - y| / max|y| for each output tensor, and the largest of these; infinite where shapes differ, where one is
    NaN or infinite and the other is not, or where an output is zero and then is not.
    """
    if len(before.outputs) != len(after.outputs):
        return float("inf")
    return max((_change(old, new) for old, new in zip(before.outputs, after.outputs, strict=True)), default=0.0)


def check_change(operator: Operator, before: Witness, after: Witness, *, rounds: bool = False) -> None:
    """Hold an operator to what it claims to keep, and to the limit that it sets itself.

    Args:
        operator: Who changed it.
        before: The outputs before.
        after: The outputs after.
        rounds: The claim holds up to the rounding of the stored weights.

    Raises:
        FunctionError: The outputs differ by more.
    """
    limit = operator.limit()
    keeps = "function" in operator.claims()
    if keeps:
        limit = TOLERANCE if before.exact and after.exact and not rounds else TOLERANCE_SINGLE
    change = largest_change(before, after)
    if not change <= limit:
        wanted = f"it may change nothing (tolerance {limit:g})" if keeps else f"{limit:g} is allowed"
        raise FunctionError(
            f"{type(operator).__name__} would change the outputs by {change:.2g} of the largest one on this example, "
            f"where {wanted}. Refused; nothing has been changed."
        )


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
