"""What becomes different when a model is made again: the architecture's changes as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genewright.backends.keras.library import keras


@dataclass(frozen=True)
class NewLayer:
    """A layer to be made.

    Attributes:
        spec: ``{"class_name": ..., "config": {...}}`` as Keras writes it.
        name: Its name.
    """

    spec: dict[str, Any]
    name: str

    def make(self, name: str | None = None) -> Any:
        """Return the layer, not built yet; several calls make several layers."""
        config = {**self.spec.get("config", {}), "name": name or self.name}
        spec = {"module": "keras.layers", "registered_name": None, **self.spec, "config": config}
        return keras.saving.deserialize_keras_object(spec)


@dataclass
class Changes:
    """Changes by the names of layers.

    Attributes:
        configs: Entries of layers' configs that become different.
        replaced: Layers in the place of others.
        inserted: Layers that work on what another one returns.
        removed: Layers that are left out.
        skips: (start, end, gate layer's name): the gated input of `start` is added to the output of `end`.
    """

    configs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    replaced: dict[str, NewLayer] = field(default_factory=dict[str, NewLayer])
    inserted: dict[str, list[NewLayer]] = field(default_factory=dict[str, list[NewLayer]])
    removed: list[str] = field(default_factory=list[str])

    def branches(self, prefix: str) -> bool:
        """Whether the model whose layers' names begin with `prefix` stops being a chain."""
        return False

    def after(self, place: str, given: Any, made: Any, before: dict[str, Any]) -> Any:
        """Return what follows a layer's output `made`, once what was inserted after it has worked on it."""
        for added in self.inserted.get(place, ()):
            made = added.make()(made)
        return made


UNCHANGED = Changes()
