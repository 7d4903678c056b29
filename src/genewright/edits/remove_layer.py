"""RemoveLayer: a layer less."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.edits.layers import LayerEdit


@dataclass(frozen=True, kw_only=True)
class RemoveLayer(LayerEdit):
    """Take a layer out; its input goes to whoever reads its output."""

    layer: str

    def subject(self) -> str:
        return self.layer

    def words(self) -> str:
        return "removed"
