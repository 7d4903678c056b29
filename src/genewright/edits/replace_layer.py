"""ReplaceLayer: another layer in the place of one."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.edits.layers import LayerEdit
from genewright.spec import Spec, in_words


@dataclass(frozen=True, kw_only=True)
class ReplaceLayer(LayerEdit):
    """Put another layer in the place of one."""

    layer: str
    new: Spec

    def subject(self) -> str:
        return self.layer

    def words(self) -> str:
        return f"replaced by {in_words(self.new)}"
