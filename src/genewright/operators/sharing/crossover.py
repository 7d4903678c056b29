"""Crossover of two networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from genewright.edits import Copy, Edit
from genewright.errors import SelectionError
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operator import Operator
from genewright.part import along
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.tensor import Tensor
from genewright.where import Selected, Where, as_where


@dataclass(frozen=True, kw_only=True)
class Crossover(Operator):
    """Take a share of the units from another network of the same layers.

    Each unit of each layer (an output feature, filter or embedding, with all its incoming weights, its bias and its
    gain) is the other network's with probability `rate`, independently. A unit is taken as a whole, so that what
    belongs together stays together. Layers whose tensors have other shapes there stay as they are.

    Args:
        rate: Share of the units that are taken, in [0, 1].
        donor: Name, in ``donors={...}``, of the other network; in a run of `gw.evolve` it is the second parent.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: No layer has the same shapes in both.
        UnknownNameError: There is no such donor.

    Example:
        >>> import torch, genewright as gw
        >>> net, other = torch.nn.Linear(3, 8), torch.nn.Linear(3, 8)
        >>> child = gw.mutate(net, gw.Crossover(rate=0.5), seed=1, donors={"mate": other})
        >>> taken = (child.bias == other.bias)
        >>> torch.equal(child.weight[taken], other.weight[taken]), torch.equal(child.weight[~taken], net.weight[~taken])
        (True, True)

    References:
        Syswerda, "Uniform Crossover in Genetic Algorithms", ICGA 1989; Montana and Davis, "Training Feedforward Neural
        Networks Using Genetic Algorithms", IJCAI 1989, section 4 (CROSSOVER-NODES: units as wholes).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    rate: float = 0.5
    donor: str = "mate"
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        object.__setattr__(self, "where", as_where(self.where))

    def donors(self) -> tuple[str, ...]:
        return (self.donor,)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network, other = networks
        layers: dict[str, list[Selected]] = {}
        for selected in self.where.select(network):
            layers.setdefault(selected.tensor.layer, []).append(selected)
        fitting = {name: chosen for name, chosen in layers.items() if _alike(chosen, other.tensors)}
        if not fitting:
            raise SelectionError(
                f"Crossover: no layer of the donor {self.donor!r} has the shapes of this network's. Take a network "
                "with layers of the same names and shapes."
            )
        for name, chosen in fitting.items():
            for selected in chosen:
                yield from self._taken(selected, noise, name)

    def _taken(self, selected: Selected, noise: Noise, layer: str) -> Iterator[Edit]:
        tensor = selected.tensor
        count = 1 if selected.axis is None or not tensor.shape else tensor.shape[selected.axis]
        taken = np.flatnonzero(uniform01(noise.stream(layer), range(count)) < self.rate)
        if selected.units is not None:
            taken = np.intersect1d(taken, np.array(selected.units, np.int64))
        if len(taken):
            part = along(selected.axis if tensor.shape else None, taken)
            yield Copy(tensor=tensor.name, source=tensor.name, part=part, source_part=part, of=1)


def _alike(chosen: list[Selected], tensors: Mapping[str, Tensor]) -> bool:
    """Whether another network has these tensors in the same shapes and dtypes."""
    theirs = [tensors.get(one.tensor.name) for one in chosen]
    return all(
        other is not None and (other.shape, other.dtype) == (one.tensor.shape, one.tensor.dtype)
        for one, other in zip(chosen, theirs, strict=True)
    )
