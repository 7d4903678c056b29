"""How many units have to go until a share of the parameters or of the multiplications is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from genewright.errors import SettingError
from genewright.network import Network
from genewright.tensor import Tensor
from genewright.widths.knob import Knob

_NO_PARAMETERS = ("statistic", "buffer")


@dataclass(frozen=True)
class Candidate:
    """A unit that may go."""

    knob: Knob
    unit: int


def first_that_reach(fraction: float, target: str, order: Sequence[Candidate], network: Network) -> list[Candidate]:
    """Return the fewest candidates, from the first on, without which at least a fraction of the target is gone.

    Args:
        fraction: From 0 to 1.
        target: "parameters" or "macs".
        order: Units in the order in which they go.
        network: The network.

    Raises:
        SettingError: All of them are not enough.
    """
    weights, constant = _weights(target, network)
    axes: dict[str, list[tuple[Knob, int, int]]] = {}
    for knob in dict.fromkeys(one.knob for one in order):
        for place in knob.places:
            name = network.tensor(place.tensor).name
            axes.setdefault(name, []).append((knob, place.axis, place.size // knob.size))

    def cost(number: int) -> float:
        lost = Counter(one.knob for one in order[:number])
        return constant + sum(
            weight * _size(network.tensors[name], axes.get(name, ()), lost) for name, weight in weights.items()
        )

    whole = cost(0)
    if cost(len(order)) > (1 - fraction) * whole:
        most = 1 - cost(len(order)) / whole
        raise SettingError(
            f"PruneUnits: at most {most:.1%} of the {target} go with the chosen units; received fraction={fraction:g}. "
            "Choose more layers, or a smaller fraction."
        )
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle) <= (1 - fraction) * whole else (middle + 1, high)
    return list(order[:low])


def _weights(target: str, network: Network) -> tuple[dict[str, float], float]:
    """Return what an element of each tensor costs, and what costs are not those of elements."""
    tensors = [tensor for tensor in network.tensors.values() if tensor.role not in _NO_PARAMETERS]
    if target == "parameters":
        return {tensor.name: 1.0 for tensor in tensors}, 0.0
    macs = network.structure.macs()
    weights: dict[str, float] = {}
    for layer, own in network.tensors_by_layer().items():
        kernels = [tensor for tensor in own if tensor.role in ("kernel", "recurrent_kernel") and tensor.size]
        total = sum(tensor.size for tensor in kernels)
        weights.update({tensor.name: macs.get(layer, 0) / total for tensor in kernels})
    return weights, sum(macs.values()) - sum(weights[name] * network.tensors[name].size for name in weights)


def _size(tensor: Tensor, axes: Sequence[tuple[Knob, int, int]], lost: Mapping[Knob, int]) -> int:
    shape = list(tensor.shape)
    for knob, axis, each in axes:
        shape[axis] -= each * lost.get(knob, 0)
    return prod(shape)
