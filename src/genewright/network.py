"""Network: the read-only view of a model that operators see, the same for every framework."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, InsertLayer, ReplaceLayer, Rewire, Structural
from genewright.errors import ExampleError, SettingError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.spec import Spec, is_activation
from genewright.structure import Structure

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

NO_EXAMPLE = (
    "This operator has to see the model run once. Give a sample input: gw.mutate(model, operator, seed=246, example=x)."
)
FLOATS = ("float32", "float64", "float16", "bfloat16")


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
        name: Full dotted name, as in a state dict. A tied tensor has the alphabetically first of its names.
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

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Network(ABC):
    """A read-only view of a model's tensors, in the order in which the model lists them.

    Attributes:
        tensors: Every tensor by its (first) name; parameters, then buffers.
    """

    tensors: Mapping[str, Tensor]

    @property
    def structure(self) -> Structure:
        """How the model computes, seen while it ran once on the example; recorded at the first use.

        Raises:
            ExampleError: No example was given, or a checkpoint cannot be run.
        """
        raise ExampleError(NO_EXAMPLE)

    def kinds(self) -> dict[str, str]:
        """Return the class name of every layer, those without tensors included, by the layer's name."""
        return {tensor.layer: tensor.layer_type for tensor in self.tensors.values()}

    def activations(self) -> dict[str, str]:
        """Return the layers that have an activation function that can be replaced, each with that one's name."""
        every = self.kinds()
        holders = {name.rpartition(".")[0] for name in every}
        return {n: kind for n, kind in every.items() if n and n not in holders and is_activation(kind)}

    def with_activation(self, layer: str, to: Spec, blend: float | None) -> list[Structural]:
        """Return the edits that give a layer another activation, at once or blended in from the old one."""
        new = to if blend is None else {"layer": "Blend", "layers": [{"copy": layer}, to], "blend": float(blend)}
        return [ReplaceLayer(layer=layer, new=new)]

    def grown_kernel(self, layer: str, by: int) -> list[Edit]:
        """Return the edits that enlarge a convolution's window by zeros all around, and its padding with it.

        Args:
            layer: The convolution.
            by: By how many positions the window grows along each axis: an even number, half on each side.

        Raises:
            UnknownNameError: There is no such layer.
            UnsupportedError: The layer is no convolution whose window can grow; the reason is named.
        """
        raise UnsupportedError("A checkpoint has no layers, so no window can grow. Give the model.")

    def attribute(self, layer: str, path: str) -> Any:
        """Return an attribute of a layer, by a dotted path.

        Raises:
            UnknownNameError: There is no such layer or attribute; the message lists near names.
        """
        raise SettingError("A checkpoint has no layers with attributes. Give the model.")

    def blueprint(self, edit: InsertLayer | ReplaceLayer | Rewire) -> list[tuple[Tensor, Initial | None]]:
        """Return the tensors of the layer that an edit would make, under the names that they would have.

        With each comes how its kind of layer draws it at first, or None where that is not known.

        Raises:
            GenewrightError: The edit makes no layer here; the reason is named.
        """
        raise SettingError("A checkpoint has no layers, so none can be added. Give the model.")

    @abstractmethod
    def read(self, name: str) -> NDArray[np.generic]:
        """Return the values, shape as in `tensors[name].shape`, read-only.

        float16 and bfloat16 are returned as float32, which holds them exactly; every other dtype as it is.
        """

    @abstractmethod
    def raw(self, name: str) -> memoryview:
        """Return the bytes in row-major order, little-endian."""

    @abstractmethod
    def initial(self, name: str) -> Initial | None:
        """Return how the tensor's own layer initialises it, or None where that is not known."""

    def tensor(self, name: str) -> Tensor:
        """Return the tensor called `name`, by any of its names.

        Raises:
            UnknownNameError: There is none; the message lists near names.
        """
        if name in self.tensors:
            return self.tensors[name]
        for tensor in self.tensors.values():
            if name in tensor.aliases:
                return tensor
        raise UnknownNameError(f"No tensor is called {name!r}. {did_you_mean(name, self.tensors)}")

    def layers(self) -> dict[str, list[Tensor]]:
        """Return the tensors of every layer that owns some."""
        owned: dict[str, list[Tensor]] = {}
        for tensor in self.tensors.values():
            owned.setdefault(tensor.layer, []).append(tensor)
        return owned


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


def fans(shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Return (fan_in, fan_out) of a kernel of shape (out, in, *window), as torch counts them."""
    if len(shape) < 2:
        return None, None
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance")
_ITERATES = ("_u", "_v", "weight_u", "weight_v")  # of spectral_norm, new and old


def role_of_name(name: str, shape: tuple[int, ...]) -> Role:
    """Guess a tensor's role from its name and shape alone, for files and unknown layers."""
    last = name.rsplit(".", 1)[-1]
    if last in _STATISTICS:
        return "statistic"
    if last in _ITERATES:
        return "buffer"
    if "bias" in last or last == "beta":
        return "bias"
    if last in ("weight", "gamma") and len(shape) == 1:
        return "norm_weight"
    if "weight_hh" in last or "recurrent" in last:
        return "recurrent_kernel"
    if "embed" in name.lower() and len(shape) == 2:
        return "embedding"
    if ("weight" in last or "kernel" in last) and len(shape) >= 2:
        return "kernel"
    return "parameter"
