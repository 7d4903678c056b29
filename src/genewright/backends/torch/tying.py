"""Making tensors of a torch module one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import nn

from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.tensors import stable_name
from genewright.edits import Tie
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.tensor import refuse_untieable

Registry = dict[str, torch.Tensor | None]


@restructure.register
def tie(edit: Tie, model: nn.Module, journal: Journal) -> None:
    """Let every module that holds one tensor hold another in its place.

    Raises:
        UnsupportedError: They cannot be one.
    """
    network = TorchNetwork(model)
    tensor, to = network.tensor(edit.tensor), network.tensor(edit.to)
    refuse_untieable(tensor, to)
    if any("parametrizations" in name.split(".") for name in (tensor.name, to.name)):
        raise UnsupportedError(f"{tensor.name!r} and {to.name!r}: a parametrized tensor cannot be tied.")
    kept = network.members[to.name].tensor
    for registry, attribute in list(_holders(model, (tensor.name, *tensor.aliases))):
        journal.keep(registry)
        registry[attribute] = kept


def _holders(model: nn.Module, names: tuple[str, ...]) -> Iterator[tuple[Registry, str]]:
    """Yield the registries that hold tensors of these names."""
    every = cast("Iterator[tuple[str, nn.Module]]", model.named_modules(remove_duplicate=False))
    for prefix, module in every:
        layer = stable_name(f"{prefix}.").rstrip(".")
        held = module._parameters, module._buffers  # pyright: ignore[reportPrivateUsage]
        for registry in cast("tuple[Registry, Registry]", held):
            for attribute in list(registry):
                if (f"{layer}.{attribute}" if layer else attribute) in names:
                    yield registry, attribute
