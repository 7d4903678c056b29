"""The layer that an edit would make, and the name that it would have, before anything is changed."""

from __future__ import annotations

import functools

from torch import nn

from genewright.backends.torch.layers import make_layer
from genewright.backends.torch.restructure.insert import inserted_name
from genewright.backends.torch.restructure.rewire import new_path, path_name
from genewright.edits import InsertLayer, ReplaceLayer, Rewire
from genewright.errors import UnsupportedError


@functools.singledispatch
def new_layer(edit: object, model: nn.Module, limit: int | None = None) -> tuple[str, nn.Module]:
    """Return (name, layer) of what `edit` would add to `model`.

    Raises:
        UnsupportedError: The edit makes no layer, or one of more bytes than `limit`.
    """
    raise UnsupportedError(f"{type(edit).__name__} makes no layer.")


@new_layer.register
def _inserted(edit: InsertLayer, model: nn.Module, limit: int | None = None) -> tuple[str, nn.Module]:
    return inserted_name(edit, model), make_layer(edit.layer, model, limit=limit)


@new_layer.register
def _replacing(edit: ReplaceLayer, model: nn.Module, limit: int | None = None) -> tuple[str, nn.Module]:
    return edit.layer, make_layer(edit.new, model, limit=limit)


@new_layer.register
def _path(edit: Rewire, model: nn.Module, limit: int | None = None) -> tuple[str, nn.Module]:
    return path_name(edit, model), new_path(edit, model, limit)
