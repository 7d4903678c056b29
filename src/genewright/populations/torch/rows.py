"""Rows: the tensors of several individuals, stacked, and a store that writes one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.store import TorchMemory
from genewright.backends.torch.tensors import named_layers
from genewright.edits import Memory, Store
from genewright.edits.site import Site
from genewright.seeding import Noise

Stacked = dict[str, torch.Tensor]


class Rows:
    """Tensors of several individuals of one form, each with a first axis of individuals.

    Args:
        network: One of them, for names, shapes and dtypes.
        names: Which tensors are stacked; all others are the network's.
        size: How many individuals there is room for.

    Attributes:
        stacked: The tensors, by name.
        factors: What individuals have beside tensors that they share, by these tensors' names.
    """

    def __init__(self, network: TorchNetwork, names: Iterable[str], size: int) -> None:
        self.network = network
        self.size = size
        self.stacked: Stacked = {}
        self.factors: Stacked = {}
        for name in names:
            held = network.members[name].tensor.detach()
            self.stacked[name] = torch.empty((size, *held.shape), dtype=held.dtype, device=held.device)

    def between(self, start: int, stop: int, network: TorchNetwork) -> Rows:
        """Return the rows of some individuals, in the same memory; what is not stacked is that of a network."""
        made = Rows(network, (), stop - start)
        made.stacked = {name: rows[start:stop] for name, rows in self.stacked.items()}
        return made

    def begin(self, at: int, network: TorchNetwork) -> None:
        """Give an individual the values of a network, before it is mutated."""
        for name, rows in self.stacked.items():
            rows[at].copy_(network.members[name].tensor.detach())

    def begin_all(self, count: int, network: TorchNetwork) -> None:
        """Give the first `count` individuals the values of a network."""
        for name, rows in self.stacked.items():
            rows[:count] = network.members[name].tensor.detach()

    def site(self, at: int, noise: Noise) -> Site:
        """Return where edits of one individual are applied."""
        return Site(_RowStore(self.network, self.stacked, at), noise)


class _RowStore(Store):
    """The tensors of one individual: its rows, and for what is not stacked the network's own, to be read."""

    def __init__(self, network: TorchNetwork, stacked: Mapping[str, torch.Tensor], at: int) -> None:
        self._network = network
        self._stacked = stacked
        self._at = at

    def memory(self, name: str) -> Memory:
        tensor = self._network.tensor(name)
        rows = self._stacked.get(tensor.name)
        held = self._network.members[tensor.name].tensor if rows is None else rows[self._at]
        return TorchMemory(tensor, held)

    def finish(self) -> None:
        """Nothing waits for the last edit."""


def places_of(model: nn.Module, *, buffers: bool) -> dict[str, torch.Tensor]:
    """Return parameters, or buffers, under a name for each place that holds one; those of a shared module once."""
    found: dict[str, torch.Tensor] = {}
    for layer, module in named_layers(model):
        held: Any = vars(module)["_buffers" if buffers else "_parameters"]
        for attribute, tensor in held.items():
            if tensor is not None:
                found[f"{layer}.{attribute}" if layer else attribute] = tensor
    return found


def stacked_alike(tensors: Mapping[str, torch.Tensor], size: int) -> Stacked:
    """Return tensors repeated along a new first axis; what is one object under two names stays one."""
    once = {id(tensor): torch.stack([tensor] * size) for tensor in {id(t): t for t in tensors.values()}.values()}
    return {name: once[id(tensor)] for name, tensor in tensors.items()}
