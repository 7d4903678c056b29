"""Putting another layer in the place of one."""

from __future__ import annotations

from torch import nn

from genewright.backends.torch.layers import layer_called, make_layer
from genewright.backends.torch.restructure.dispatch import restructure
from genewright.backends.torch.restructure.places import (
    children_of,
    match_dtype_and_device,
    parent_of,
    places_of,
    set_children,
)
from genewright.edits import ReplaceLayer
from genewright.journal import Journal

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@restructure.register
def _replace(edit: ReplaceLayer, model: nn.Module, journal: Journal) -> None:
    """Put the new layer wherever the old one sits, with the hooks that were registered there."""
    old = layer_called(model, edit.layer)
    parent_of(model, edit.layer)
    new = make_layer(edit.new, model)
    match_dtype_and_device(new, old, model)
    for name in _HOOKS:  # people hook places, not objects
        getattr(new, name).update({key: hook for key, hook in getattr(old, name).items() if isinstance(key, int)})
    for parent, key in places_of(model, old):
        set_children(parent, {**children_of(parent), key: new}, journal)
