"""How Keras's own layers draw their variables at first: read from the initializer that the layer holds.

Facts read in Keras 3.15's `initializers`. `initial_of` is a single-dispatch function on the initializer: a rule for one
of your own is ``@initial_of.register``.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from genewright.backends.files.keras_layout import fans_of
from genewright.backends.keras.library import keras
from genewright.tensor import Initial

# A normal distribution cut off at two standard deviations has this standard deviation.
_CUT_OFF = 0.87962566103423978


def initializer_of(layer: Any, attribute: str) -> Any:
    """Return the initializer that a layer uses for one of its variables, or None where it names none."""
    for name in (attribute, attribute.removesuffix("_kernel")):
        found = getattr(layer, f"{name}_initializer", None)
        if found is not None:
            return found
    return None


def _kind(name: str) -> type[Any]:
    kind: type[Any] = getattr(keras.initializers, name)
    return kind


@functools.singledispatch
def initial_of(initializer: object, shape: tuple[int, ...]) -> Initial | None:
    """Return what `initializer` draws for a variable of this shape, or None where no rule is known."""
    return None


@initial_of.register(_kind("Zeros"))
def _zeros(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    return Initial(distribution="constant", scale=0.0)


@initial_of.register(_kind("Ones"))
def _ones(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    return Initial(distribution="constant", scale=1.0)


@initial_of.register(_kind("Constant"))
def _constant(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    value = initializer.value
    return Initial(distribution="constant", scale=float(value)) if isinstance(value, int | float) else None


@initial_of.register(_kind("RandomUniform"))
def _uniform(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    low, high = float(initializer.minval), float(initializer.maxval)
    return Initial(distribution="uniform", scale=high) if low == -high else None


@initial_of.register(_kind("RandomNormal"))
def _normal(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    return Initial(distribution="normal", scale=float(initializer.stddev)) if initializer.mean == 0 else None


@initial_of.register(_kind("TruncatedNormal"))
def _truncated_normal(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    centred = initializer.mean == 0
    return Initial(distribution="truncated_normal", scale=float(initializer.stddev)) if centred else None


@initial_of.register(_kind("VarianceScaling"))
def _variance_scaling(initializer: Any, shape: tuple[int, ...]) -> Initial | None:
    """Glorot, He and LeCun: variance = scale / n, with n the fan-in, the fan-out or their mean."""
    fan_in, fan_out = fans_of(shape)
    if fan_in is None or fan_out is None:
        fan_in = fan_out = shape[0] if shape else 1
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    variance = float(initializer.scale) / max(1.0, fans[initializer.mode])
    match initializer.distribution:
        case "uniform":
            return Initial(distribution="uniform", scale=math.sqrt(3 * variance))
        case "truncated_normal":
            return Initial(distribution="truncated_normal", scale=math.sqrt(variance) / _CUT_OFF)
        case "untruncated_normal":
            return Initial(distribution="normal", scale=math.sqrt(variance))
        case _:
            return None
