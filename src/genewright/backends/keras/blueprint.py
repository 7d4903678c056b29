"""The layers that an edit would make, built for the shapes that they would be given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genewright.backends.keras.cloning import preserve_python_random
from genewright.backends.keras.keras_structure import KerasStructure
from genewright.backends.keras.library import keras
from genewright.backends.keras.new_layers import NewLayer
from genewright.backends.keras.rewiring import Changes
from genewright.edits import InsertLayer, ReplaceLayer, Rewire


def made_by(
    edit: InsertLayer | ReplaceLayer | Rewire, model: Any, structure: KerasStructure
) -> Iterator[tuple[str, Any]]:
    """Yield each new layer that `edit` would make with its name, built.

    Raises:
        GenewrightError: The edit makes no layer here; the reason is named.
    """
    changes = Changes.of(edit, model)
    with preserve_python_random():
        for after, new in changes.inserted.items():
            yield from _built(after, new.layers, structure.tensors(after)[1])
        for after, blend in changes.blends.items():
            yield from _built(after, blend.layers, structure.tensors(after)[1])
        for place, layer in changes.replaced.items():
            yield from _built(place, (layer,), structure.tensors(place)[0])
        for skip in changes.skips:
            yield from _built(skip.end, skip.path.layers, structure.tensors(skip.start)[0])


def _built(beside: str, layers: tuple[NewLayer, ...], given: Any) -> Iterator[tuple[str, Any]]:
    prefix = beside.rpartition(".")[0]
    made = keras.Input(batch_shape=given.shape, dtype=given.dtype)
    for new in layers:
        layer = new.make()
        made = layer(made)
        yield f"{prefix}.{new.name}" if prefix else new.name, layer
