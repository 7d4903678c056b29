"""Where layers sit, and changing what sits there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import nn

from genewright.errors import UnsupportedError
from genewright.journal import Journal


def parent_of(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the module that holds the layer called `name`, and its name there.

    Raises:
        UnsupportedError: `name` is the model itself, which nothing holds.
    """
    if not name:
        raise UnsupportedError("The model itself cannot be removed or replaced: it is held by you. Name a layer of it.")
    head, _, key = name.rpartition(".")
    return model.get_submodule(head), key


def children_of(parent: nn.Module) -> dict[str, nn.Module | None]:
    """Return what a module holds, by name, in order: the registry itself."""
    return parent._modules  # pyright: ignore[reportPrivateUsage]


def set_children(parent: nn.Module, children: Mapping[str, nn.Module | None], journal: Journal) -> None:
    """Give a module other children, in their order."""
    held, new = children_of(parent), dict(children)
    journal.keep(held)
    held.clear()
    held.update(new)


def places_of(model: nn.Module, layer: nn.Module) -> list[tuple[nn.Module, str]]:
    """Return every place where this very module sits: a shared one has several."""
    return [(parent, key) for parent in model.modules() for key, held in children_of(parent).items() if held is layer]


def is_chain(module: nn.Module) -> bool:
    """Whether a container runs its children one after another: a Sequential with the forward of its class."""
    forward = cast(object, type(module).forward)
    return isinstance(module, nn.Sequential) and forward is vars(nn.Sequential)["forward"]


def is_numbered(children: Mapping[str, object]) -> bool:
    """Whether the names are positions, as in a ModuleList."""
    return list(children) == [str(position) for position in range(len(children))]


def renumbered(children: list[tuple[str, nn.Module | None]], *, numbered: bool) -> dict[str, nn.Module | None]:
    """Return children under their names, or under their positions where they are numbered."""
    if numbered:
        return {str(position): child for position, (_, child) in enumerate(children)}
    return dict(children)


def match_dtype_and_device(layer: nn.Module, beside: nn.Module, model: nn.Module) -> None:
    """Give a new layer the dtype, device and mode of the one beside it."""
    like = next((p for m in (beside, model) for p in m.parameters() if p.is_floating_point()), torch.empty(0))
    layer.to(device=like.device, dtype=like.dtype)
    layer.train(beside.training)
