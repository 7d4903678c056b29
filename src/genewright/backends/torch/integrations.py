"""Libraries whose torch models describe themselves in a config: found among the modules that are already imported."""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from genewright.declaration import Declaration

_LIBRARIES = {
    "transformers": "genewright.integrations.transformers",
    "timm": "genewright.integrations.timm",
    "huggingface_hub.hub_mixin": "genewright.integrations.huggingface_hub",
}

Change = tuple[Any, str, Any]
"""(object, dotted path of an attribute, new value)."""


class Integration(ABC):
    """What genewright knows of one library's configs."""

    @abstractmethod
    def is_config(self, value: object) -> bool:
        """Whether a value is a config of this library."""

    @abstractmethod
    def layer_count_changes(
        self, model: nn.Module, container: str, before: int, order: Sequence[int]
    ) -> Iterator[Change]:
        """Yield what makes this library's configs say the new number of layers.

        Args:
            model: The whole model.
            container: Name of the list whose layers have been inserted, removed or moved.
            before: How many layers it had.
            order: For each layer now there, the position that it, or what it is a copy of, had before.
        """

    @abstractmethod
    def declared(self, model: nn.Module, example: Any) -> Declaration:
        """Return the edits after which the config of a mutant rebuilds it, or why there are none.

        Args:
            model: A model whose form has changed; one of another library needs no edit.
            example: A sample input, or None.
        """


def integrations() -> list[Integration]:
    """Return the integrations of the libraries that are imported; none is imported for this."""
    modules = [module for library, module in _LIBRARIES.items() if sys.modules.get(library)]
    return [importlib.import_module(module).INTEGRATION for module in modules]
