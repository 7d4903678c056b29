"""Zeros of a Keras model that stay while it is trained: constraints of variables, which every optimizer applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.library import attributes_of, keras
from genewright.backends.keras.members import members_of

_COMPILED = ("train_function", "test_function", "predict_function")  # they know the constraints of before


def keep_zeros(model: Any, masks: Mapping[str, NDArray[np.bool_]]) -> Callable[[], None]:
    """Constrain masked elements to zero.

    Args:
        model: The model.
        masks: For each variable, by its name, which elements are zero.

    Returns:
        A function that gives every variable the constraint back that it had.
    """
    members = members_of(model)
    before = [(members[name].variable, members[name].variable.constraint) for name in masks]
    for (variable, constraint), mask in zip(before, masks.values(), strict=True):
        variable.constraint = _Masked(mask, constraint)
    _forget(model)

    def release() -> None:
        for variable, constraint in before:
            variable.constraint = constraint
        _forget(model)

    return release


class _Masked:
    """A constraint that masks, after the one that a variable had."""

    def __init__(self, mask: NDArray[np.bool_], inner: Any) -> None:
        self._mask = mask
        self._inner = inner

    def __call__(self, values: Any) -> Any:
        values = values if self._inner is None else self._inner(values)
        return keras.ops.where(self._mask, keras.ops.zeros_like(values), values)


def _forget(model: Any) -> None:
    held = attributes_of(model)
    held.update({key: None for key in _COMPILED if key in held})
