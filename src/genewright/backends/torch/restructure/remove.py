"""Taking a layer out."""

from __future__ import annotations

from torch import nn

from genewright.apply import Undo
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
    whole,
)
from genewright.backends.torch.wiring import Graft, attach, detach
from genewright.edit import RemoveLayer
from genewright.errors import UnsupportedError


@restructure.register
def _remove(edit: RemoveLayer, model: nn.Module) -> Undo:
    """Take a layer out of its container; anywhere else the identity takes its place."""
    layer = layer_called(model, edit.layer)
    parent, key = parent_of(model, edit.layer)
    if isinstance(parent, Graft) and len(parent) == 1:
        return _ungraft(parent_of(model, edit.layer.rpartition(".")[0])[0])
    if not (is_chain(parent) or isinstance(parent, nn.ModuleList | Graft)):
        places = places_of(model, layer)
        with whole() as journal:
            for holder, name in places:
                journal.add(set_children(holder, {**children_of(holder), name: nn.Identity()}))
        return journal.restore
    children = list(children_of(parent).items())
    if len(children) == 1 and isinstance(parent, nn.ModuleList):
        raise UnsupportedError(f"{edit.layer!r} is the only layer of its list; the list would be empty.")
    position = [name for name, _ in children].index(key)
    left = [*children[:position], *children[position + 1 :]]
    with whole() as journal:
        journal.add(set_children(parent, renumbered(left, numbered=is_numbered(dict(children)))))
        order = [old for old in range(len(children)) if old != position]
        journal.add(renumber(model, parent, order, before=len(children)))
    return journal.restore


def _ungraft(host: nn.Module) -> Undo:
    graft = next(child for child in host.children() if isinstance(child, Graft))
    detach(host)
    return lambda: attach(host, graft)
