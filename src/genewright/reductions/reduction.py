"""What a reduction is, and which of them the compiled kernel is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.machine_code.memory import numba_is_installed
from genewright.observation import Numbers

Reduction = tuple[str, float]
"""A reduction of a unit's values: "sums", "squares", "lowest", "highest", or, with a number, "distances" (the sum of
|value - number|), "above", "equal" (how many values are larger, or that number)."""

WORTH: Final = 1 << 16
"""Values for which the kernel is loaded, and compiled once a machine. Only the size decides, not what came before: the
same data gives the same bits."""


def reduced_at_once(
    values: NDArray[Any], unit_axis: int, wanted: Iterable[Reduction], threads: int | None = None
) -> dict[Reduction, Numbers] | None:
    """Return reductions of every unit's values in one pass of compiled code, or None where it does not take them.

    It takes float32 and float64 with units or positions side by side, if they are many and all finite.

    Args:
        values: Shape (samples, units, positions) or (samples, positions, units).
        unit_axis: 1 or 2.
        wanted: Which.
        threads: How many at most; by default as many as there are cores.
    """
    if values.size < WORTH or not numba_is_installed() or values.dtype.name not in ("float32", "float64"):
        return None
    steps = values.strides
    if values.itemsize not in (steps[1], steps[2]) or any(step <= 0 or step % values.itemsize for step in steps):
        return None
    if not values.dtype.isnative or not values.flags.aligned:
        return None
    from genewright.reductions.compiled import reduced

    keys = list(dict.fromkeys([("sums", 0.0), *wanted]))
    found = reduced(values, unit_axis, keys, threads)
    return found if np.isfinite(found["sums", 0.0]).all() else None
