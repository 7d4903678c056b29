"""An independent copy of a Keras model, of the same class."""

from __future__ import annotations

from typing import Any

from genewright.backends.keras.cloning import copy_extra_state, preserve_python_random, transfer
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.independence import refuse_shared
from genewright.backends.keras.library import attributes_of
from genewright.backends.keras.members import is_graph, members_of
from genewright.backends.keras.rebuilding import RECIPE
from genewright.backends.keras.subclassed import remade
from genewright.backends.keras.training import carry_training


def copy_model(model: Any) -> Any:
    """Return a copy: layers from their configs under the same names, weights, compile settings, optimizer state.

    A Functional or Sequential model is made again along its graph, so that shared layers stay shared. A subclassed
    model is made by its own ``from_config(get_config())``, with the layers that have been changed since.

    Raises:
        UnsupportedError: A layer cannot be made from its config, or not so that it computes the same; it is named.
    """
    members = list(members_of(model).values())
    with preserve_python_random():
        if is_graph(model):
            rebuilder = Rebuilder(model)
            new = rebuilder.model()
            refuse_shared(model, new)
            transfer(members, new)
            rebuilder.copy_extra_state()
        else:
            new = remade(model)
            transfer(members, new)
            copy_extra_state(model, new)
        carry_training(model, new)
    recipe = attributes_of(model).get(RECIPE)
    if recipe is not None:
        attributes_of(new)[RECIPE] = recipe
    return new
