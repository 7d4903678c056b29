"""SetAttribute: plain data of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genewright.edits.layers import LayerEdit


@dataclass(frozen=True, kw_only=True)
class SetAttribute(LayerEdit):
    """Set an attribute of a layer, of a config that it holds, or an entry of a list there, to plain data.

    Attributes:
        layer: The layer's name; "" is the model.
        attribute: A dotted path from the layer: "in_features", "config.hidden_size", "normalized_shape.0".
        value: None, a bool, a number, text, or lists and dicts of these; a list becomes a tuple where a tuple was.
    """

    layer: str
    attribute: str
    value: Any

    def subject(self) -> str:
        return self.layer

    def words(self) -> str:
        return f"{self.attribute} = {self.value!r}"
