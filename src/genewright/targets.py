"""How targets stand beside outputs: as class numbers, one-hot rows, zeros and ones, or values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]

_ROUNDED = 1e-3  # how far float16 labels, smoothed and rounded, may sum up to something else than 1


class Scale:
    """Whether the outputs of single units are probabilities or logits.

    They are probabilities while all of them, of a model and of its mutant, lie in [0, 1]: then 1/2 decides, as it does
    in Keras; else 0.
    """

    def __init__(self) -> None:
        self._outside = False

    def look(self, outputs: Numbers) -> None:
        """Look at a batch of outputs; NaN tells nothing."""
        with np.errstate(invalid="ignore"):
            self._outside = self._outside or bool(((outputs < 0) | (outputs > 1)).any())

    @property
    def threshold(self) -> float:
        """What an output is above where it predicts 1."""
        return 0.0 if self._outside else 0.5


def as_classes(outputs: Numbers, targets: Numbers) -> tuple[Numbers, NDArray[np.int64]] | None:
    """Return the outputs with their class axis last, and the classes as numbers; None where the targets are no classes.

    They are classes in one of these forms, for outputs of shape (batch, ..., classes):

    | targets | shape |
    |---|---|
    | whole numbers | (batch, ...), or (batch, ..., 1) as Keras has them |
    | one-hot rows, or distributions: what is largest is the class | (batch, ..., classes) |
    | whole numbers, for outputs of shape (batch, classes, ...) as torch's losses take them | (batch, ...) |
    """
    if outputs.ndim < 2 or outputs.dtype.kind not in "fiu" or targets.dtype.kind not in "biuf":
        return None
    if outputs.shape[-1] > 1:
        if targets.shape == outputs.shape[:-1] and _whole(targets):
            return outputs, targets.astype(np.int64)
        if targets.shape == (*outputs.shape[:-1], 1) and _whole(targets):
            return outputs, targets[..., 0].astype(np.int64)
        if targets.shape == outputs.shape and _distributions(targets):
            return outputs, targets.argmax(axis=-1).astype(np.int64)
    first = (outputs.shape[0], *outputs.shape[2:])
    if outputs.ndim > 2 and outputs.shape[1] > 1 and targets.shape == first and _whole(targets):
        return np.moveaxis(outputs, 1, -1), targets.astype(np.int64)
    return None


def beside(outputs: Numbers, targets: Numbers) -> Numbers | None:
    """Return the targets in the outputs' shape, where only an axis of length 1 at the end is missing or too much."""
    if outputs.dtype.kind not in "fiub" or targets.dtype.kind not in "biuf":
        return None
    longer, shorter = (outputs, targets) if outputs.ndim >= targets.ndim else (targets, outputs)
    if longer.shape in (shorter.shape, (*shorter.shape, 1)):
        return targets.reshape(outputs.shape)
    return None


def are_binary(targets: Numbers) -> bool:
    """Whether all targets are 0 or 1."""
    return bool(((targets == 0) | (targets == 1)).all())


def _whole(targets: Numbers) -> bool:
    return targets.dtype.kind != "f" or bool((np.isfinite(targets) & (targets == np.floor(targets))).all())


def _distributions(targets: Numbers) -> bool:
    inside = bool(((targets >= 0) & (targets <= 1)).all())
    return inside and bool((np.abs(targets.sum(axis=-1, dtype=np.float64) - 1) <= _ROUNDED).all())
