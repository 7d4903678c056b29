"""Inserting a layer behind another."""

from __future__ import annotations

from torch import nn

from genewright.backends.torch.layers import layer_called, make_layer
from genewright.backends.torch.restructure.dispatch import restructure
from genewright.backends.torch.restructure.numbering import renumber
from genewright.backends.torch.restructure.places import (
    children_of,
    is_chain,
    is_numbered,
    match_dtype_and_device,
    parent_of,
    renumbered,
    set_children,
)
from genewright.backends.torch.translating import in_torch
from genewright.backends.torch.wiring import GRAFT, Graft, attach, graft_of
from genewright.edits import InsertLayer
from genewright.errors import UnsupportedError
from genewright.journal import Journal


@restructure.register
def _insert(edit: InsertLayer, model: nn.Module, journal: Journal) -> None:
    """Insert into the container where there is one that takes it; else graft the layer on its host."""
    host = layer_called(model, edit.after)
    layer = make_layer(edit.layer, model)
    match_dtype_and_device(layer, host, model)
    container, key = _container(edit, model)
    if container is None:
        _graft(host, layer, edit.after, journal)
        return
    children = list(children_of(container).items())
    position = len(children) if key is None else [name for name, _ in children].index(key) + 1
    numbered = is_numbered(dict(children))
    name = _free_name(edit, key, dict(children))
    grown = [*children[:position], (name, layer), *children[position:]]
    set_children(container, renumbered(grown, numbered=numbered), journal)
    if key is not None:
        order = [*range(position), position - 1, *range(position, len(children))]
        renumber(model, container, order, journal, before=len(children))


def in_layer_list(after: str, model: nn.Module) -> bool:
    """Whether a copy of a layer would become an entry beside it, of a chain or list that numbers what it holds."""
    return _container(InsertLayer(after=after, layer={"copy": after}), model)[1] is not None


def inserted_name(edit: InsertLayer, model: nn.Module) -> str:
    """Return the name that the new layer will have."""
    container, key = _container(edit, model)
    if container is None:
        graft = graft_of(layer_called(model, edit.after))
        return ".".join(filter(None, (edit.after, GRAFT, str(len(graft or ())))))
    children = dict(children_of(container))
    position = len(children) if key is None else list(children).index(key) + 1
    name = str(position) if is_numbered(children) else _free_name(edit, key, children)
    prefix = edit.after if key is None else edit.after.rpartition(".")[0]
    return f"{prefix}.{name}" if prefix else name


def _container(edit: InsertLayer, model: nn.Module) -> tuple[nn.Module | None, str | None]:
    """Return the container to insert into and the name there to insert behind (None: at its end), or None.

    A chain takes any layer. A list's elements are called by its owner's code, so it takes copies of an element.
    """
    host = layer_called(model, edit.after)
    if edit.after and not edit.grafted:
        parent, key = parent_of(model, edit.after)
        layer = in_torch(edit.layer)
        copied = not isinstance(layer, str) and layer.get("copy") == edit.after
        if is_chain(parent) or (isinstance(parent, nn.ModuleList) and copied):
            return parent, key
    if is_chain(host) and graft_of(host) is None:
        return host, None
    return None, None


def _graft(host: nn.Module, layer: nn.Module, name: str, journal: Journal) -> None:
    if isinstance(host, nn.ModuleList | nn.ModuleDict | nn.Sequential):
        raise UnsupportedError(
            f"{name!r} is a {type(host).__name__}, which runs over what it holds, so nothing can be grafted on it. "
            "Name one of its layers."
        )
    graft = graft_of(host)
    if graft is not None:
        set_children(graft, {**children_of(graft), str(len(graft)): layer}, journal)
        return
    if hasattr(host, GRAFT):
        raise UnsupportedError(f"{name!r} has an attribute {GRAFT!r} of its own, where the new layer would go.")
    attach(host, Graft(layer), journal)


def _free_name(edit: InsertLayer, key: str | None, children: dict[str, nn.Module | None]) -> str:
    wanted = edit.label or f"{key or 'layer'}_inserted"
    if edit.label and edit.label in children:
        raise UnsupportedError(f"There is a layer {edit.label!r} beside {edit.after!r} already. Choose another name.")
    name, count = wanted, 1
    while name in children:
        count += 1
        name = f"{wanted}{count}"
    return name
