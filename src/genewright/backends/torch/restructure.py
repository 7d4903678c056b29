"""Changing the layers, wiring and attributes of a module that somebody else wrote; each change returns its undo."""

from __future__ import annotations

import functools

from torch import nn

from genewright.apply import Undo
from genewright.backends.torch.attributes import set_value
from genewright.backends.torch.layers import layer_called
from genewright.edit import SetAttribute
from genewright.errors import UnsupportedError


@functools.singledispatch
def restructure(edit: object, model: nn.Module) -> Undo:
    """Apply one structural edit to `model`, all or nothing; return what takes it back.

    Raises:
        GenewrightError: It cannot be done here; the reason is named, and nothing has been changed.
    """
    raise UnsupportedError(f"{type(edit).__name__} is no edit that a torch module takes.")


@restructure.register
def _set_attribute(edit: SetAttribute, model: nn.Module) -> Undo:
    return set_value(layer_called(model, edit.layer), edit.attribute, edit.value)
