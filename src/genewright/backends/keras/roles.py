"""What a variable of a Keras layer is for, and along which axis the layer's units lie."""

from __future__ import annotations

import math
from typing import Any

from genewright.backends.keras.library import keras
from genewright.network import Role

_BY_NAME: dict[str, Role] = {
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "pointwise_kernel": "kernel",
    "recurrent_kernel": "recurrent_kernel",
    "bias": "bias",
    "embeddings": "embedding",
    "gamma": "norm_weight",
    "scale": "norm_weight",
    "beta": "norm_bias",
    "moving_mean": "statistic",
    "moving_variance": "statistic",
}


def role_of(attribute: str, shape: tuple[int, ...], *, is_parameter: bool) -> Role:
    """Return the role of the variable that a layer holds as `attribute`."""
    role = _BY_NAME.get(attribute, "parameter")
    if not is_parameter:
        return "statistic" if role == "statistic" else "buffer"
    if role == "parameter" and len(shape) >= 2 and attribute.endswith("kernel"):
        return "kernel"
    return role


def unit_axis_of(owner: Any, attribute: str, role: Role, shape: tuple[int, ...]) -> int | None:
    """Return the axis of the units (output features): the last one, but for transposed and depthwise convolutions.

    A depthwise kernel has the shape (*window, channels, multiplier), with one unit a channel where the multiplier is
    1, and no single axis of units elsewhere. A transposed one has (*window, out, in).
    """
    if not shape or role == "buffer":
        return None
    if attribute == "depthwise_kernel" or (role == "kernel" and isinstance(owner, _depthwise())):
        return len(shape) - 2 if shape[-1] == 1 else None
    if role == "kernel" and isinstance(owner, _transposed()):
        return len(shape) - 2
    return len(shape) - 1


def fans_of(shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Return (fan_in, fan_out) of a kernel of shape (*window, in, out), as Keras's initializers count them."""
    if len(shape) < 2:
        return None, None
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def _depthwise() -> tuple[Any, ...]:
    return keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D


def _transposed() -> tuple[Any, ...]:
    names = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
    return tuple(getattr(keras.layers, name) for name in names)
