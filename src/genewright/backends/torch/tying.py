"""Making tensors of a torch module one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import nn

from genewright.apply import Undo
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.tensors import stable_name
from genewright.edit import Tie
from genewright.errors import UnsupportedError
from genewright.network import refuse_untieable

Registry = dict[str, torch.Tensor | None]


@restructure.register
def tie(edit: Tie, model: nn.Module) -> Undo:
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
    held: list[tuple[Registry, str, torch.Tensor | None]] = []
    for registry, attribute in _holders(model, (tensor.name, *tensor.aliases)):
        held.append((registry, attribute, registry[attribute]))
        registry[attribute] = kept

    def undo() -> None:
        for registry, attribute, old in held:
            registry[attribute] = old

    return undo


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
