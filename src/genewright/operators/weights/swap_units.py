"""Swapping of units within a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Gather, Place
from genewright.errors import SelectionError
from genewright.index import Index
from genewright.network import Network
from genewright.noise import permutation
from genewright.operator import Operator
from genewright.operators.weights.kernels import KERNELS, selected_kernels
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.where import Selected, Where, as_where


@dataclass(frozen=True, kw_only=True)
class SwapUnits(Operator):
    """Swap pairs of units of a layer: their incoming weights and their biases together.

    Of the n units of a layer (or of those that `where` allows), ceil(rate * n / 2) disjoint pairs are drawn, uniformly,
    and the units u and v of each pair change places: w'[u] = w[v] and w'[v] = w[u], in the kernel, the recurrent kernel
    and the bias alike. What reads the layer's outputs stays as it is, so each unit of a pair takes over the other's
    role, and the function changes. (A swap that the next layer follows would keep the function.) The same mutation
    twice gives the first bytes back.

    A unit is a position along the kernel's unit axis: an output feature or channel; in a recurrent layer one gate of
    one cell; in attention one row of a projection. (What `where` allows by units are whole cells and
    heads.) A normalisation layer after it is another layer, and stays. Only chosen tensors move: with a frozen bias, or
    ``where="*.weight"``, the kernel moves alone.

    Args:
        rate: Share of the units that change places, in [0, 1]; above 0, at least one pair a layer.
        where: Which tensors and units; all trainable ones of layers with a kernel by default.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no kernel with two units.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.SwapUnits(), seed=1)
        >>> torch.equal(mutant.bias, net.bias.flip(0)) and torch.equal(mutant.weight, net.weight.flip(0))
        True

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B (Neuron
        Switch: two neurons of a layer exchange their roles for the next layer).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    inverse: ClassVar[bool] = True

    rate: float = 0.1
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        kernels = selected_kernels(self.where, network, type(self).__name__)
        layers = dict.fromkeys((kernel.tensor.layer, _count(kernel)) for kernel in kernels)
        proposed = False
        for layer, count in layers:
            moving = [s for s in self.where.select(network) if s.tensor.layer == layer and _moves(s, count)]
            swapped = self._swapped(layer, moving[0], count, noise)
            if swapped is None:
                continue
            proposed = True
            places = tuple(Place(s.tensor.name, s.axis or 0) for s in moving)
            yield Gather(width=layer, size=count, index=swapped, places=places)
        if not proposed:
            raise SelectionError(
                "SwapUnits: no chosen layer has two units that may change places: "
                + ", ".join(f"{layer or 'the model'!r} has {count}" for layer, count in layers)
                + ". Choose more units or other layers."
            )

    def _swapped(self, layer: str, selected: Selected, count: int, noise: Noise) -> Index | None:
        """Return the old position of the unit at each new one, or None where there is no pair."""
        units = range(count) if selected.units is None else selected.units
        if len(units) < 2:
            return None
        drawn: list[int] = permutation(noise.stream(f"{layer}/{count}"), len(units)).tolist()
        index = list(range(count))
        for pair in range(min(math.ceil(self.rate * len(units) / 2), len(units) // 2)):
            first, second = units[drawn[2 * pair]], units[drawn[2 * pair + 1]]
            index[first], index[second] = second, first
        return Index.of(index)


def _count(selected: Selected) -> int:
    return selected.tensor.shape[selected.axis or 0]


def _moves(selected: Selected, count: int) -> bool:
    tensor = selected.tensor
    kind = tensor.role in (*KERNELS, "bias") or tensor.role == "parameter"
    return kind and tensor.unit_axis is not None and bool(tensor.shape) and _count(selected) == count
