"""Skips and branches: a gated path beside what is there."""

from __future__ import annotations

from torch import nn

from genewright.backends.torch.layers import layer_called, make_layer
from genewright.backends.torch.restructure.dispatch import restructure
from genewright.backends.torch.restructure.places import children_of, is_chain, match_dtype_and_device, set_children
from genewright.backends.torch.wiring import GRAFT, TAP, Graft, Path, Tap, attach, detach, graft_of, tap, untap
from genewright.edits import Rewire
from genewright.errors import UnsupportedError
from genewright.journal import Journal


@restructure.register
def _rewire(edit: Rewire, model: nn.Module, journal: Journal) -> None:
    """Graft the path on its end; a start elsewhere is tapped."""
    start, end = _first(layer_called(model, edit.start)), _last(layer_called(model, edit.end))
    if isinstance(end, nn.ModuleList | nn.ModuleDict | nn.Sequential):
        raise UnsupportedError(
            f"{edit.end!r} is a {type(end).__name__}, which runs over what it holds, so no path can end there. "
            "Name the last of its layers."
        )
    path = new_path(edit, model)
    match_dtype_and_device(path, end, model)
    graft = graft_of(end)
    if graft is None and hasattr(end, GRAFT):
        raise UnsupportedError(f"{edit.end!r} has an attribute {GRAFT!r} of its own, where the path would go.")
    if start is not end:
        if hasattr(start, "tap") or isinstance(start, nn.ModuleList | nn.ModuleDict | nn.Sequential):
            raise UnsupportedError(f"No path can start at {edit.start!r}: one does already, or it is a container.")
        path.tap = tap(start, journal)
    if graft is None:
        attach(end, Graft(path), journal)
    else:
        set_children(graft, {**children_of(graft), str(len(graft)): path}, journal)


def new_path(edit: Rewire, model: nn.Module, limit: int | None = None) -> Path:
    """Return the gated path, not yet attached; a copy of a layer leaves behind what was grafted on that."""
    layer = make_layer(edit.path, model, limit=limit)
    if graft_of(layer) is not None:
        detach(layer, Journal())
    if isinstance(layer._modules.get(TAP), Tap):  # pyright: ignore[reportPrivateUsage]
        untap(layer)
    return Path(layer, edit.gate)


def path_name(edit: Rewire, model: nn.Module) -> str:
    """Return the name that the path's layer will have."""
    host = layer_called(model, edit.end)
    name = edit.end
    while is_chain(host) and len(children_of(host)):
        name = ".".join(filter(None, (name, list(children_of(host))[-1])))
        host = host.get_submodule(list(children_of(host))[-1])
    return ".".join(filter(None, (name, GRAFT, str(len(graft_of(host) or ())))))


def _last(layer: nn.Module) -> nn.Module:
    """Return the layer that gives a chain's output; any other layer is its own last."""
    while is_chain(layer) and len(children_of(layer)):
        layer = layer.get_submodule(list(children_of(layer))[-1])
    return layer


def _first(layer: nn.Module) -> nn.Module:
    while is_chain(layer) and len(children_of(layer)):
        layer = layer.get_submodule(next(iter(children_of(layer))))
    return layer
