"""How large a changed model would be, before any of its variables has memory."""

from __future__ import annotations

import importlib
import math
from typing import Any

from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.library import keras
from genewright.backends.keras.rewiring import Changes
from genewright.errors import UnsupportedError

_WAITING = "uninitialized_variables"  # where Keras keeps variables that were made in a stateless scope
_BYTES = 8  # of the largest number that a variable holds


def refuse_larger(model: Any, changes: Changes, limit: int) -> None:
    """Refuse changes that make a Functional or Sequential model larger than a file accounts for.

    In a stateless scope Keras gives variables shapes and no memory.

    Args:
        model: The model.
        changes: What a recipe asks for.
        limit: The most bytes that its variables may take.

    Raises:
        UnsupportedError: They take more.
        GenewrightError: The changes cannot be made.
    """
    state: Any = importlib.import_module("keras.src.backend.common.global_state")
    waiting = list(state.get_global_attribute(_WAITING) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            made = Rebuilder(model, changes.anew()).model()
            size = sum(math.prod(int(n) for n in variable.shape) * _BYTES for variable in made.variables)
    finally:
        state.set_global_attribute(_WAITING, waiting)  # or the next scope would give them memory after all
    if size > 2 * limit:  # most variables hold float32
        raise UnsupportedError(
            f"The recipe makes {model.name!r} a model of {size:,} bytes, and {limit:,} are allowed here. A file is "
            "allowed four times what it holds."
        )
