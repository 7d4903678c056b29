"""Tensor: what is known of one tensor of a network; and what its name and shape alone say."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from genewright.errors import UnsupportedError

Role = Literal[
    "kernel",  # weights of a linear layer, a convolution, an attention projection
    "recurrent_kernel",  # weights from a recurrent layer's state to itself
    "bias",
    "embedding",
    "norm_weight",  # the gain of a normalisation layer
    "norm_bias",
    "parameter",  # any other trainable tensor
    "statistic",  # running mean, running variance and their counters
    "buffer",  # any other tensor that training does not change
]
ROLES: tuple[str, ...] = Role.__args__

FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = {"complex64": "float32", "complex128": "float64"}  # what their real and imaginary parts are


@dataclass(frozen=True, kw_only=True)
class Initial:
    """How a layer draws a tensor at first.

    Attributes:
        distribution: "uniform" on (-scale, scale), "normal" or "truncated_normal" (at two standard deviations before
            scaling) with standard deviation parameter `scale`, or "constant".
        scale: Bound, standard deviation or the constant.
        zero_rows: Rows (axis 0) that start at zero, as an embedding's padding row does.
    """

    distribution: Literal["uniform", "normal", "truncated_normal", "constant"]
    scale: float
    zero_rows: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What is known of one tensor; its values are read with `Network.read`.

    Attributes:
        name: Full dotted name, as in a state dict. A tied tensor has the first of its names (`in_order`).
        shape: Logical shape.
        dtype: "float32", "bfloat16", "int64", ...
        role: One of `ROLES`.
        layer: Name of the layer that owns it ("" for the model itself).
        layer_type: Class name of that layer ("" where only names are known, as in a file).
        trainable: Training changes it (a parameter that is not frozen).
        aliases: The other names of a tied tensor.
        unit_axis: The axis along which the layer's units lie, or None.
        input_axis: The axis of a kernel along which the inputs of one unit lie, or None.
        fan_in: Inputs of one unit, or None where that has no meaning.
        fan_out: Outputs that one input reaches, or None.
        nbytes: Size in bytes.
        shares: Names of other tensors that have some of its elements in them: a change to it would change them.
        doubt: Why it is not known along which axis the layer's units lie, where that is so; of a file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: Role
    layer: str
    layer_type: str
    trainable: bool
    aliases: tuple[str, ...] = ()
    unit_axis: int | None = 0
    input_axis: int | None = None
    fan_in: int | None = None
    fan_out: int | None = None
    nbytes: int = 0
    shares: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def is_plain(dtype: str) -> bool:
    """Whether NumPy can hold the elements (bfloat16 as bit patterns)."""
    return dtype in (*FLOATS, "bool") or dtype.startswith(("int", "uint", "complex"))


def refuse_untieable(tensor: Tensor, to: Tensor) -> None:
    """Refuse two tensors that cannot be one.

    Raises:
        UnsupportedError: Their shapes or dtypes differ, they are one already, or one is trained and the other not.
    """
    what = f"{tensor.name!r} ({tensor.dtype} of shape {tensor.shape}) and {to.name!r} ({to.dtype} of shape {to.shape})"
    if tensor.name == to.name:
        raise UnsupportedError(f"{tensor.name!r} is one tensor already, whatever it is called. Name two.")
    if (tensor.shape, tensor.dtype) != (to.shape, to.dtype):
        raise UnsupportedError(f"{what} cannot be one tensor. Name tensors of one shape and dtype.")
    kinds = ("statistic", "buffer")
    if (tensor.role in kinds) != (to.role in kinds):
        raise UnsupportedError(f"{what} cannot be one tensor: one is a parameter, the other is not.")


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names of one tensor, the one that it goes by first.

    That is the name of an embedding where it has one, else the alphabetically first. So it depends neither on the order
    in which a model lists its tensors nor on whether they were read from a file, and where transformers writes a tied
    tensor under one name, it is that one: what is tied to the embedding is left out.

    >>> in_order(["lm_head.weight", "transformer.wte.weight"])
    ['transformer.wte.weight', 'lm_head.weight']
    """
    return sorted(names, key=lambda name: (_far_from_embedding(name), name))


def _far_from_embedding(name: str) -> int:
    layer = name.rsplit(".", 2)[-2] if "." in name else ""
    if layer == "shared":
        return 0
    return 1 if "embed" in layer or layer == "wte" else 2


def fans(shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Return (fan_in, fan_out) of a kernel of shape (out, in, *window), as torch counts them."""
    if len(shape) < 2:
        return None, None
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance")
_TABLES = ("wte", "wpe")  # of tokens and of positions, in GPT-2
_ITERATES = ("_u", "_v", "weight_u", "weight_v")  # of spectral_norm, new and old


def role_of_name(name: str, shape: tuple[int, ...]) -> Role:
    """Guess a tensor's role from its name and shape alone, for files and unknown layers."""
    last = name.rsplit(".", 1)[-1]
    if last in _STATISTICS:
        return "statistic"
    if last in _ITERATES:
        return "buffer" if len(shape) < 2 else "parameter"  # weight_norm's directions have that name, too
    if "bias" in last or last == "beta":
        return "bias"
    if last in ("weight", "gamma") and len(shape) == 1:
        return "norm_weight"
    if "weight_hh" in last or "recurrent" in last:
        return "recurrent_kernel"
    if len(shape) == 2 and ("embed" in name.lower() or name.rpartition(".")[0].endswith(_TABLES)):
        return "embedding"
    if ("weight" in last or "kernel" in last) and len(shape) >= 2:
        return "kernel"
    return "parameter"


def shared_memory(one: str, other: str) -> str:
    """Return in words that two tensors share elements, and what to do."""
    return (
        f"{one!r} and {other!r} are different views that share memory: a change to one would change the other. Leave "
        f"them out (where=('*', '!{one}', '!{other}')), give each memory of its own (clone), or make them one "
        "parameter."
    )
