"""Shuffling of a unit's incoming weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, Write
from genewright.network import Network
from genewright.noise import Stream, mask, permutation
from genewright.operator import Operator
from genewright.operators.weights.kernels import selected_kernels
from genewright.part import along
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.where import Where, as_where


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

    rate: float = 0.1
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, network: Network, noise: Noise) -> Iterator[Edit]:
        for selected in selected_kernels(self.where, network, type(self).__name__):
            tensor, axis = selected.tensor, selected.tensor.unit_axis or 0
            stream = noise.stream(tensor.name)
            hit: list[int] = mask(stream, self.rate, tensor.shape[axis]).tolist()
            allowed = range(tensor.shape[axis]) if selected.units is None else set(selected.units)
            units = tuple(unit for unit in hit if unit in allowed)
            yield Write(
                tensor=tensor.name,
                values=_Shuffled(stream, units, axis),
                part=along(axis, units),
                stored=True,
                summary="incoming weights shuffled",
            )


@dataclass(frozen=True)
class _Shuffled:
    """Permutes the elements of every unit, each by a permutation of its own."""

    stream: Stream
    units: tuple[int, ...]
    axis: int

    def __call__(self, old: NDArray[Any]) -> NDArray[Any]:
        rows = np.moveaxis(old, self.axis, 0)
        new = np.empty_like(rows, order="C")
        for row, unit in enumerate(self.units):
            flat = rows[row].reshape(-1)
            new[row] = flat[permutation(self.stream, flat.size, unit)].reshape(rows.shape[1:])
        return np.moveaxis(new, 0, self.axis)
