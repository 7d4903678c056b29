"""What a unit is: where the units of a layer stand in each of its tensors. Whoever chooses units asks here.

| layer | a unit | in its tensors |
|---|---|---|
| linear, convolution, norm | an output feature or channel | one position |
| LSTM, GRU, RNN | a cell, of all of a stack or of "lstm.l1_reverse" alone | its position in every gate |
| attention | a head | its positions in queries, keys and values |
| embedding | a row | one position of the table |
| experts in one tensor | an expert | one position of the first axis |
| under weight_norm | as without it | its gain and its direction |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from genewright.errors import SelectionError
from genewright.layer import Layer
from genewright.network import Network
from genewright.tensor import Tensor

_OF_A_CELL = re.compile(r"(?:weight|bias)_(?:ih|hh)(?P<place>(?:_l\d+)?(?:_reverse)?)(?![a-z0-9])")
_KEEPING_UNITS = ("_WeightNorm", "_SpectralNorm")  # parametrizations under which a row of zeros is one of the kernel
_GAIN_OF = {"original1": "original0", "_v": "_g"}  # torch's new weight_norm, and its old one


@dataclass(frozen=True, kw_only=True)
class Units:
    """Where the units of a layer stand in a tensor.

    Attributes:
        axis: The axis along which they lie.
        count: How many there are.
        layers: The names by which the layer goes whose units they are.
        stretches: How many times they all follow each other along the axis, once a gate or projection.
        width: How many positions a unit takes each time: the size of a head.
        what: What a unit is, in the plural.

    Example:
        >>> Units(axis=0, count=5, layers=("lstm",), stretches=4).positions([2])
        (2, 7, 12, 17)
    """

    axis: int
    count: int
    layers: tuple[str, ...]
    stretches: int = 1
    width: int = 1
    what: str = "units"

    def positions(self, units: Sequence[int]) -> tuple[int, ...]:
        """Return the positions of some units along the axis, in order."""
        inside = np.add.outer(np.asarray(units, np.int64) * self.width, np.arange(self.width)).reshape(-1)
        starts = np.arange(self.stretches) * self.count * self.width
        return tuple(np.add.outer(starts, inside).reshape(-1).tolist())


def units_of(tensor: Tensor, network: Network) -> Units | None:
    """Return where the units of its layer stand in a tensor; None where they have no place of their own there.

    Raises:
        SelectionError: They are heads, and a checkpoint does not say how many.
    """
    if not tensor.shape:
        return None
    layer = _layer_of(tensor)
    if tensor.role == "embedding":
        return Units(axis=0, count=tensor.shape[0], layers=(layer,), what="rows")
    around = layer.rpartition(".")[0]
    for name in (layer, around):
        if network.layers.get(name, _UNKNOWN).heads:
            found = _of_heads(tensor, network.layers[name], layer)
            if found is not None or name == layer:
                return found
    if not tensor.layer_type and _attribute(tensor).startswith("in_proj_"):
        raise SelectionError(
            f"where: {tensor.name!r} holds queries, keys and values of heads, and a checkpoint does not say of how "
            "many. Give the model, or leave this layer's units out."
        )
    found = _of_cells(tensor, network, layer, around)
    if found is not None or _attribute(tensor).startswith("weight_hr"):
        return found
    if without_place(tensor, network):
        return None
    axis = feature_axis(tensor, network)
    direction = _direction_of(tensor, network)
    if direction is not None and direction.shape[axis or 0] != tensor.shape[axis or 0]:
        return None  # one gain for all units, or one an input
    return None if axis is None else Units(axis=axis, count=tensor.shape[axis], layers=(layer,))


def without_place(tensor: Tensor, network: Network) -> str:
    """Say why a layer's units have no place of their own in one of its kernels; "" where they have, or it is none."""
    if tensor.doubt:
        return tensor.doubt
    layer = _layer_of(tensor)
    facts = network.layers.get(layer, _UNKNOWN)
    if tensor.role == "kernel" and facts.kind == "transposed_convolution" and tensor.unit_axis is None:
        of = f"of {facts.groups} groups, and no axis of its kernel is that of its channels"
        return f"{layer!r} is a transposed convolution {of}"
    shape = tensor.shape
    each = shape[-1] if len(shape) > 2 and tensor.unit_axis in (None, len(shape) - 2) else 1
    if tensor.role == "kernel" and facts.kind == "depthwise_convolution" and each > 1:
        return f"{layer!r} makes {each} channels of each, which lie along two axes of its kernel"
    inner = f"{layer}.".lstrip(".") + f"parametrizations.{_attribute(tensor).partition('.')[0]}."
    made = [known.class_name for name, known in network.layers.items() if name.startswith(inner)]
    other = [name for name in made if name not in _KEEPING_UNITS]
    return f"{tensor.name!r} is parametrized ({other[0].strip('_')}), which may mix its units" if other else ""


def how_to_tell(tensor: Tensor) -> str:
    """Return how to say along which axis the units of a tensor in doubt lie."""
    return f"Or say which it is, gw.read_checkpoint(path, unit_axes={{{tensor.name!r}: axis}}), or give the model."


def is_direction(tensor: Tensor, network: Network) -> bool:
    """Whether a tensor holds the directions of units whose lengths are another's: those of weight_norm.

    A direction has no length of its own, and one of zeros is NaN; what silences the unit is its gain.
    """
    gain = _gain_of(tensor, network)
    axis = feature_axis(tensor, network)
    return gain is not None and axis is not None and gain.shape[axis] == tensor.shape[axis]


_UNKNOWN = Layer(name="")


def _layer_of(tensor: Tensor) -> str:
    return tensor.layer.partition(".parametrizations.")[0]


def _attribute(tensor: Tensor) -> str:
    """Return a tensor's name inside its layer."""
    layer = _layer_of(tensor)
    return tensor.name[len(layer) :].lstrip(".").removeprefix("parametrizations.")


def _beside(tensor: Tensor, network: Network) -> Iterable[Tensor]:
    """Return the tensors of the same layer."""
    layer = _layer_of(tensor)
    return (other for other in network.tensors.values() if _layer_of(other) == layer)


def _of_heads(tensor: Tensor, attention: Layer, layer: str) -> Units | None:
    """Return the heads of torch's attention (projections in one tensor or in three) or of Keras's (three layers)."""
    names, shape = tuple(dict.fromkeys((layer, attention.name))), tensor.shape
    if layer != attention.name:  # Keras: (in, heads, size) and (heads, size)
        axis = len(shape) - 2
        part = layer.rpartition(".")[2]
        if part not in ("query", "key", "value") or shape[axis] != attention.heads:
            return None
        return Units(axis=axis, count=attention.heads, layers=names, what="heads")
    attribute = _attribute(tensor)
    axis = len(shape) - 1 if attribute in ("bias_k", "bias_v") else 0
    stretches = 3 if attribute.startswith("in_proj_") else 1
    width, rest = divmod(shape[axis], stretches * attention.heads)
    if rest:
        return None
    return Units(axis=axis, count=attention.heads, layers=names, stretches=stretches, width=width, what="heads")


def _of_cells(tensor: Tensor, network: Network, layer: str, around: str) -> Units | None:
    """Return the cells of a recurrent layer, as torch lays it out (gates along the rows) or Keras (along the last)."""
    matched = _OF_A_CELL.match(_attribute(tensor))
    if matched:
        state = _cells(_beside(tensor, network), matched["place"])
        axis, names = 0, (layer, part_of_stack(layer, matched["place"]))
    elif _attribute(tensor) in ("kernel", "recurrent_kernel", "bias"):
        inner = next((t for t in _beside(tensor, network) if _attribute(t) == "recurrent_kernel"), None)
        state = None if inner is None else inner.shape[-2]
        axis = len(tensor.shape) - 1
        of_cell = network.layers.get(around, _UNKNOWN).kind == "recurrent"
        names = (layer, around) if of_cell else (layer,)
    else:
        return None
    if not state or axis >= len(tensor.shape) or tensor.shape[axis] % state:
        return None
    return Units(axis=axis, count=state, layers=names, stretches=tensor.shape[axis] // state, what="cells")


def part_of_stack(layer: str, place: str) -> str:
    """Return the name by which one layer and direction of torch's stacked recurrent layer goes among units.

    Args:
        layer: The layer's name.
        place: The ending of its tensors there, such as "_l1_reverse"; "" of a cell.

    >>> part_of_stack("encoder.lstm", "_l1_reverse")
    'encoder.lstm.l1_reverse'
    """
    return f"{layer}.{place.lstrip('_')}".strip(".")


def _cells(beside: Iterable[Tensor], place: str) -> int | None:
    """Return how many cells torch's recurrent layer has: the columns of its state's kernel, or of its projection."""
    found: dict[str, int] = {}
    for other in beside:
        attribute = _attribute(other)
        for kernel in ("weight_hr", "weight_hh"):
            if len(other.shape) > 1 and re.match(rf"{kernel}{place}(?![a-z0-9]|_l\d|_reverse)", attribute):
                found[kernel] = max(found.get(kernel, 0), other.shape[1])  # a factor may be one column
    return found.get("weight_hr", found.get("weight_hh"))


def feature_axis(tensor: Tensor, network: Network) -> int | None:
    """Return the axis of a layer's output features, in the factors of a kernel as in the kernel."""
    if tensor.role == "parameter" and len(tensor.shape) > 1:
        facts = network.layers.get(_layer_of(tensor), _UNKNOWN)
        if facts.kind == "transposed_convolution" and tensor.layer_type:
            return 1 if facts.groups == 1 else None
    return tensor.unit_axis


def _gain_of(tensor: Tensor, network: Network) -> Tensor | None:
    """Return the gains to a tensor of directions."""
    for ending, other in _GAIN_OF.items():
        if tensor.name.endswith(ending):
            gain = network.tensors.get(tensor.name.removesuffix(ending) + other)
            return gain if gain is not None and _scales(gain.shape, tensor.shape) else None
    return None


def _direction_of(tensor: Tensor, network: Network) -> Tensor | None:
    """Return the directions to a tensor of gains."""
    for ending, other in _GAIN_OF.items():
        if tensor.name.endswith(other):
            direction = network.tensors.get(tensor.name.removesuffix(other) + ending)
            return direction if direction is not None and _scales(tensor.shape, direction.shape) else None
    return None


def _scales(gain: tuple[int, ...], direction: tuple[int, ...]) -> bool:
    return len(gain) == len(direction) and all(g in (1, d) for g, d in zip(gain, direction, strict=True))
