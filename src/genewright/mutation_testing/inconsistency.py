"""How far two runs of one network are apart: LEMON's distance, and which of them is further from the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Outputs = list[NDArray[Any]]
Kind = Literal["crash", "nonfinite", "shape", "distance"]


@dataclass(frozen=True, kw_only=True)
class Inconsistency:
    """Two runs that disagree on one mutant, or one that fails where another does not.

    Attributes:
        mutant: The mutant's number; -1 is the model itself.
        kind: "crash" (one raised), "nonfinite" (one has NaN or infinite outputs), "shape", or "distance".
        runs: Names of the two runs; the first is the one that is further from the float64 reference, or that fails.
        degree: D_MAD, from 0 to 1, the largest of all samples; 1 for the other kinds.
        errors: max |output - reference| / max |reference| of each run; infinite where it has no output.
        steps: The steps of the mutant's recipe as JSON; of a longer one, the fewest that still fail.
        note: What was raised.
    """

    mutant: int
    kind: Kind
    runs: tuple[str, str]
    degree: float
    errors: tuple[float, float]
    steps: tuple[Mapping[str, Any], ...]
    note: str = ""


def mean_absolute_deviations(outputs: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean |truth - output| of every sample.

    >>> mean_absolute_deviations(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [0.5, 0.0]
    """
    apart = np.abs(truth.astype(np.float64) - outputs.astype(np.float64)).reshape(len(outputs), -1)
    deviations: NDArray[np.float64] = np.mean(apart, axis=1, dtype=np.float64)  # pyright: ignore[reportAssignmentType]
    return deviations


def d_mad(one: NDArray[Any], other: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return LEMON's degree of inconsistency of every sample: |D - D'| / (D + D'), from 0 to 1.

    D and D' are the mean absolute deviations of the two outputs from the truth; where both are zero the degree is.

    >>> d_mad(np.array([[0.9, 0.1]]), np.array([[0.6, 0.4]]), np.array([[1.0, 0.0]])).round(2).tolist()
    [0.6]

    References:
        Wang et al., "Deep Learning Library Testing via Effective Model Generation", ESEC/FSE 2020, equations 1 and 2.
    """
    first, second = mean_absolute_deviations(one, truth), mean_absolute_deviations(other, truth)
    both = first + second
    return np.divide(np.abs(first - second), both, out=np.zeros_like(both), where=both > 0)


def error_of(outputs: Outputs | None, reference: Outputs) -> float:
    """Return max |output - reference| / max |reference|; infinite without outputs, or where they do not fit."""
    if outputs is None or [a.shape for a in outputs] != [b.shape for b in reference]:
        return float("inf")
    error = 0.0
    for one, exact in zip(outputs, reference, strict=True):
        if one.size and exact.dtype.kind == "f":
            with np.errstate(invalid="ignore", over="ignore"):
                apart = np.abs(one.astype(np.float64) - exact)
            scale = float(np.abs(exact).max()) or 1.0
            error = max(error, float(apart.max()) / scale if np.isfinite(apart).all() else float("inf"))
    return error
