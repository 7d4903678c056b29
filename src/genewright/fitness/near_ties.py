"""Decisions of individuals that run together: where rounding could turn one, the individual alone has to decide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-4  # of an individual's largest output: more than outputs differ by when individuals run together


def are_choices(outputs: NDArray[Any]) -> bool:
    """Whether outputs are scores of at least two choices: (individuals, samples, choices), floating."""
    return outputs.ndim == 3 and outputs.shape[-1] > 1 and outputs.dtype.kind == "f"  # the axes above


def near_ties(outputs: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where the two best choices are as near as rounding, or no numbers, as (individuals, samples).

    Args:
        outputs: What `are_choices` holds of.

    Example:
        >>> near_ties(np.array([[[1.0, 2.0], [3.0, 3.00001]]])).tolist()
        [[False, True]]
    """
    second, best = np.moveaxis(np.partition(outputs, -2, axis=-1)[..., -2:], -1, 0)
    with np.errstate(invalid="ignore"):
        return ~(best - second > ROUNDING * np.abs(outputs).max(axis=(1, 2))[:, None])
