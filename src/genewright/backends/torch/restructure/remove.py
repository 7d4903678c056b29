"""Taking a layer out."""

from __future__ import annotations

from torch import nn

from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.restructure.dispatch import restructure
from genewright.backends.torch.restructure.numbering import renumber
from genewright.backends.torch.restructure.places import (
    children_of,
    is_chain,
    is_numbered,
    parent_of,
    places_of,
    renumbered,
    set_children,
)
from genewright.backends.torch.wiring import Graft, detach
from genewright.edits import RemoveLayer
from genewright.errors import UnsupportedError
from genewright.journal import Journal


@restructure.register
def _remove(edit: RemoveLayer, model: nn.Module, journal: Journal) -> None:
    """Take a layer out of its container; anywhere else the identity takes its place."""
    layer = layer_called(model, edit.layer)
    parent, key = parent_of(model, edit.layer)
    if isinstance(parent, Graft) and len(parent) == 1:
        detach(parent_of(model, edit.layer.rpartition(".")[0])[0], journal)
        return
    if not (is_chain(parent) or isinstance(parent, nn.ModuleList | Graft)):
        for holder, name in places_of(model, layer):
            set_children(holder, {**children_of(holder), name: nn.Identity()}, journal)
        return
    children = list(children_of(parent).items())
    if len(children) == 1 and isinstance(parent, nn.ModuleList):
        raise UnsupportedError(f"{edit.layer!r} is the only layer of its list; the list would be empty.")
    position = [name for name, _ in children].index(key)
    left = [*children[:position], *children[position + 1 :]]
    set_children(parent, renumbered(left, numbered=is_numbered(dict(children))), journal)
    order = [old for old in range(len(children)) if old != position]
    renumber(model, parent, order, journal, before=len(children))
