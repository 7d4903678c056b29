"""How large a changed model would be, before any of its variables has memory."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable
from typing import Any

from genewright.backends.keras.cloning import preserve_python_random
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.subclassed import remade
from genewright.backends.keras.swap_layers import replacement_layers, swap_layers
from genewright.errors import UnsupportedError

_WAITING = "uninitialized_variables"  # where Keras keeps variables that were made in a stateless scope
_BYTES = 8  # of the largest number that a variable holds


def refuse_larger(model: Any, changes: Changes, limit: int, refitted: Iterable[str] = ()) -> None:
    """Refuse changes that make a model larger than a file accounts for.

    In a stateless scope Keras gives variables shapes and no memory. A subclassed model is made again by its own config
    there, and its layers are swapped.

    Args:
        model: The model.
        changes: What a recipe asks for.
        refitted: Layers that read or write a width that changes, for a subclassed model.
        limit: The most bytes that its variables may take.

    Raises:
        UnsupportedError: They take more.
        GenewrightError: The changes cannot be made.
    """
    state: Any = importlib.import_module("keras.src.backend.common.global_state")
    waiting = list(state.get_global_attribute(_WAITING) or [])
    try:
        with preserve_python_random(), keras.StatelessScope(initialize_variables=False):
            made = _made(model, changes.anew(), refitted)
            size = sum(math.prod(int(n) for n in variable.shape) * _BYTES for variable in made.variables)
    finally:
        state.set_global_attribute(_WAITING, waiting)  # or the next scope would give them memory after all
    if size > 2 * limit:  # most variables hold float32
        raise UnsupportedError(
            f"The recipe makes {model.name!r} a model of {size:,} bytes, and {limit:,} are allowed here. A file is "
            "allowed four times what it holds."
        )


def _made(model: Any, changes: Changes, refitted: Iterable[str]) -> Any:
    if is_graph(model):
        return Rebuilder(model, changes).model()
    new = remade(model)
    fresh, _ = replacement_layers(new, changes, refitted)
    swap_layers(new, fresh)
    return new
