"""How a Keras model computes: its graph says it, without a run."""

from __future__ import annotations

import functools
from typing import Any

from genewright.backends.keras.members import is_graph
from genewright.backends.keras.widths import KerasWidths
from genewright.errors import UnsupportedError
from genewright.structure import Structure


class KerasStructure(Structure):
    """The graph of a Functional or Sequential model.

    Attributes:
        model: The model.

    Raises:
        UnsupportedError: The model is subclassed: its wiring is Python code.
    """

    def __init__(self, model: Any) -> None:
        if not is_graph(model):
            raise UnsupportedError(
                f"{model.name!r} of class {type(model).__name__} is a subclassed model: its wiring is Python code, so "
                "its architecture cannot be changed here (its weights can). Build it with the Functional API, or change "
                "one of the Functional models that it is made of."
            )
        self.model = model

    @functools.cached_property
    def widths(self) -> KerasWidths:
        return KerasWidths(self.model)
