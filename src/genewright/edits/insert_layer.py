"""InsertLayer: a new layer behind another."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.edits.layers import LayerEdit
from genewright.spec import Spec, in_words


@dataclass(frozen=True, kw_only=True)
class InsertLayer(LayerEdit):
    """Let a new layer work on what another one returns.

    Attributes:
        after: The layer whose output the new one takes.
        layer: What the new layer is.
        label: Its name in the container, where that one has names of its own; None lets the backend choose.
        grafted: It hangs on the other one and moves none of its neighbours, whose code takes them by number.
    """

    after: str
    layer: Spec
    label: str | None = None
    grafted: bool = False

    def subject(self) -> str:
        return self.after

    def words(self) -> str:
        return f"followed by {in_words(self.layer)}"
