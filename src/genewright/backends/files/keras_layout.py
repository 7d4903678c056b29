"""How Keras lays out and names the variables of its layers; known from class names alone, without Keras.

Facts read in Keras 3.15: kernels have the shape (*window, in, out), so that units lie along the last axis, but for
transposed convolutions (*window, out, in) and depthwise ones (*window, channels, multiplier).
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from genewright.tensor import Role

_ROLES: dict[str, Role] = {
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

# Variables in the order in which a layer makes them; each with the config entry that says whether it is there.
_VARIABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "batch_normalization": (("gamma", "scale"), ("beta", "center"), ("moving_mean", ""), ("moving_variance", "")),
    "layer_normalization": (("gamma", "scale"), ("beta", "center")),
    "group_normalization": (("gamma", "scale"), ("beta", "center")),
    "rms_normalization": (("scale", ""),),
    "normalization": (("mean", ""), ("variance", ""), ("count", "")),
    "embedding": (("embeddings", ""),),
    "reversible_embedding": (("embeddings", ""), ("reverse_embeddings", "")),
    "separable_conv1d": (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias")),
    "separable_conv2d": (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias")),
    "einsum_dense": (("kernel", ""), ("bias", "bias_axes")),
    "p_re_lu": (("alpha", ""),),
}
_WITH_KERNELS = re.compile(
    r"(depthwise_|separable_)?conv\dd(_transpose)?|conv_lstm\dd(_cell)?|(einsum_)?dense|embedding"
)
_OF_ATTENTION = ("query", "key", "value", "attention_output")
_NEVER_TRAINED = ("mean", "variance", "count")
_COMPOSITES = (
    "multi_head_attention", "group_query_attention", "grouped_query_attention", "bidirectional", "time_distributed",
    "lstm", "gru", "simple_rnn", "rnn", "conv_lstm1d", "conv_lstm2d", "conv_lstm3d", "stacked_rnn_cells",
    "spectral_normalization", "wrapper",
)  # fmt: skip


def role_of(attribute: str, shape: tuple[int, ...], *, is_parameter: bool) -> Role:
    """Return the role of the variable that a layer holds as `attribute`."""
    role = _ROLES.get(attribute, "parameter")
    if not is_parameter:
        return "statistic" if role == "statistic" else "buffer"
    if role == "parameter" and len(shape) >= 2 and attribute.endswith("kernel"):
        return "kernel"
    return role


def unit_axis_of(classes: Sequence[str], attribute: str, role: Role, shape: tuple[int, ...]) -> int | None:
    """Return the axis of the units (output features), or None where there is no single one.

    Args:
        classes: Names of the owner's class and of its bases.
        attribute: The variable's name in its layer.
        role: Its role.
        shape: Its shape.
    """
    if not shape or role == "buffer":
        return None
    kinds = [file_class(name) for name in classes]  # a weights file has them in that spelling
    depthwise = attribute == "depthwise_kernel" or (
        role == "kernel" and any(kind.startswith("depthwise_conv") for kind in kinds)
    )
    if depthwise:  # one unit a channel, where the multiplier is 1
        return len(shape) - 2 if shape[-1] == 1 else None
    if role == "kernel" and any(re.fullmatch(r"conv\dd_transpose", kind) for kind in kinds):
        return len(shape) - 2
    return len(shape) - 1


def lays_out(kind: str, layer: str) -> bool:
    """Whether a class, or else an attention's name for a layer of its own, says how the kernel lies.

    >>> lays_out("Conv2DTranspose", "up"), lays_out("conv2d", "c"), lays_out("", "up"), lays_out("", "att.query")
    (True, True, False, True)
    """
    return bool(_WITH_KERNELS.fullmatch(file_class(kind))) or layer.rpartition(".")[2] in _OF_ATTENTION


def input_axis_of(role: Role, unit_axis: int | None, shape: tuple[int, ...]) -> int | None:
    """Return the axis of a kernel's inputs: beside the units, at the end of the shape."""
    if role not in ("kernel", "recurrent_kernel") or unit_axis is None or len(shape) < 2:
        return None
    return 2 * len(shape) - 3 - unit_axis  # the last two axes are inputs and units, in either order


def fans_of(shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Return (fan_in, fan_out) of a kernel of shape (*window, in, out), as Keras's initializers count them."""
    if len(shape) < 2:
        return None, None
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def group_class(key: str) -> str:
    """Return the snake_case class that a group of a weights file is called by, without its counter.

    >>> group_class("batch_normalization_12")
    'batch_normalization'
    """
    return re.sub(r"_\d+$", "", key)


@functools.lru_cache(maxsize=1024)  # asked for every tensor of a model
def file_class(class_name: str) -> str:
    """Spell a class name as groups of weights files are called.

    >>> file_class("SeparableConv2D")
    'separable_conv2d'
    """
    words = re.sub(r"(?<=.)([A-Z][a-z]+)", r"_\1", class_name)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()


def is_composite(kind: str) -> bool:
    """Whether a class (in snake_case) of Keras's own holds layers, which go by their own names."""
    return kind in _COMPOSITES


def variable_names(kind: str, config: Mapping[str, Any] | None, shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Return the names of a layer's variables in the order in which a weights file numbers them.

    Args:
        kind: The layer's class in snake_case.
        config: Its config, where the file has one.
        shapes: The variables' shapes.

    Returns:
        A name for each; its number where the class does not tell.
    """
    numbers = [str(i) for i in range(len(shapes))]
    if kind in _VARIABLES:
        every = _VARIABLES[kind]
        if config is not None:
            every = tuple(entry for entry in every if not entry[1] or config.get(entry[1], True))
        optional = [entry for entry in every if entry[1]]
        while config is None and len(every) > len(shapes) and optional:
            dropped = optional.pop()
            every = tuple(entry for entry in every if entry is not dropped)
        return [name for name, _ in every] if len(every) == len(shapes) else numbers
    ranks = [len(shape) for shape in shapes]
    match ranks:
        case [first] if first >= 2:
            return ["kernel"]
        case [first, second] if first >= 2 and second < first:
            return ["kernel", "bias"]
        case [2, 2, last] if last <= 2:
            return ["kernel", "recurrent_kernel", "bias"]
        case [4 | 5 | 3 as first, second, 1] if first == second and "lstm" in kind:
            return ["kernel", "recurrent_kernel", "bias"]
        case _:
            return numbers


def is_trained(attribute: str) -> bool:
    """Whether a variable of this name in a file counts as trained; one without a known name does not."""
    return not attribute.isdigit() and attribute not in _NEVER_TRAINED and _ROLES.get(attribute) != "statistic"
