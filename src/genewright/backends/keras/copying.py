"""An independent copy of a Keras model, of the same class."""

from __future__ import annotations

import warnings
from typing import Any

from genewright.backends.keras.cloning import cloned, python_random_kept, settle, transfer
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.library import attributes_of
from genewright.backends.keras.members import is_graph, members_of
from genewright.backends.keras.rebuilding import RECIPE
from genewright.backends.keras.training import carry_training


def copy_model(model: Any) -> Any:
    """Return a copy: layers from their configs under the same names, weights, compile settings, optimizer state.

    A Functional or Sequential model is made again along its graph, so that shared layers stay shared. A subclassed
    model is made by its own ``from_config(get_config())``.

    Raises:
        UnsupportedError: A layer cannot be made from its config; it is named.
    """
    members = list(members_of(model).values())
    with python_random_kept():
        if is_graph(model):
            rebuilder = Rebuilder(model)
            new = rebuilder.model()
            transfer(members, new)
            rebuilder.settle()
        else:
            new = _remade(model)
            transfer(members, new)
            settle(model, new)
        carry_training(model, new)
    recipe = attributes_of(model).get(RECIPE)
    if recipe is not None:
        attributes_of(new)[RECIPE] = recipe
    return new


def _remade(model: Any) -> Any:
    new = cloned(model)
    config = model.get_build_config()
    if config and not new.built:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cannot be built so is refused by name, when weights are carried over
            new.build_from_config(config)
        new.built = True  # by its layers, which Keras has run on shapes alone
    return new
