"""Setting an attribute by its path."""

from __future__ import annotations

from torch import nn

from genewright.backends.torch.attribute_paths import set_value
from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.restructure.dispatch import restructure
from genewright.edits import SetAttribute
from genewright.journal import Journal


@restructure.register
def _set_attribute(edit: SetAttribute, model: nn.Module, journal: Journal) -> None:
    set_value(layer_called(model, edit.layer), edit.attribute, edit.value, journal, layer=edit.layer)
