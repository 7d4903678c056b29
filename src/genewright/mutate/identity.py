"""What identifies a network: its fingerprint, and the recipe that it carries."""

from __future__ import annotations

from typing import Any

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.errors import RecipeError
from genewright.fingerprint import fingerprint_of
from genewright.recipe import Recipe


@answered("gw.fingerprint(model)")
def fingerprint(model: Any) -> str:
    """Return the fingerprint of a network: names, shapes, dtypes and bytes of all tensors.

    Running statistics are included; device, memory layout and the order of tensors do not matter.

    Example:
        >>> import torch, genewright as gw
        >>> gw.fingerprint(torch.nn.Linear(3, 2)).startswith("b3:")
        True
    """
    return fingerprint_of(backend_of(model).network(model))


@answered("gw.recipe(mutant)")
def recipe(mutant: Any) -> Recipe:
    """Return the recipe that a mutant carries.

    Raises:
        RecipeError: The model is not a mutant.
    """
    history = backend_of(mutant).history(mutant)
    if not history:
        raise RecipeError("This model carries no recipe: it is not a mutant made by gw.mutate or gw.replay.")
    return Recipe.of(history)
