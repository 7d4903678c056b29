"""Shuffling of a unit's incoming weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright import edits
from genewright.edits import Edit, Map
from genewright.network import Network
from genewright.noise import mask
from genewright.operator import Operator
from genewright.operators.weights.kernels import selected_kernels
from genewright.part import along
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class Shuffle(Operator):
    """Shuffle the incoming weights of a share of the units, each unit's among themselves.

    w'[u, i] = w[u, p_u(i)] for each unit u with probability `rate`, independently; p_u is a uniform random permutation
    of the unit's incoming weights (in a convolution: over input channels and window). Bits are moved as they are, and
    every unit keeps its set of weights. Acts on kernels and recurrent kernels; biases and other tensors stay.

    Args:
        rate: Share of the units that are shuffled, in [0, 1].
        where: Which kernels and units; all trainable kernels by default.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no kernel.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.Shuffle(rate=1.0), seed=1)
        >>> torch.equal(mutant.weight.sort(dim=1).values, net.weight.sort(dim=1).values)
        True

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B (Weight
        Shuffling).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    version: ClassVar[int] = 2

    rate: float = field(default=0.1, kw_only=False)
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in selected_kernels(self.where, networks[0], type(self).__name__):
            tensor, axis = selected.tensor, selected.axis or 0
            hit: list[int] = mask(noise.stream(tensor.name), self.rate, tensor.shape[axis]).tolist()
            allowed = range(tensor.shape[axis]) if selected.units is None else set(selected.units)
            units = tuple(unit for unit in hit if unit in allowed)
            yield Map(
                tensor=tensor.name,
                function=edits.functions.Shuffle(axis=axis),
                part=along(axis, units),
                stream=tensor.name,
            )
