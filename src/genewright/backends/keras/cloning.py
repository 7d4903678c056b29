"""Making a layer again from its config, and carrying over what the config does not hold."""

from __future__ import annotations

import copy
import functools
import random
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from genewright.backends.keras.arrays import array_of
from genewright.backends.keras.library import class_of, keras, said
from genewright.backends.keras.members import Member, members_of
from genewright.backends.keras.tying import tie_again
from genewright.errors import UnsupportedError


@functools.singledispatch
def clone_layer(layer: Any, config: dict[str, Any]) -> Any:
    """Return a new layer of the same class with the given config; it is not built yet."""
    return class_of(layer).from_config(config)


@clone_layer.register(keras.layers.Lambda)
def _lambda(layer: Any, config: dict[str, Any]) -> Any:
    # The function itself, which is the user's own: nothing is turned into bytes and back.
    return keras.layers.Lambda(
        layer.function,
        output_shape=layer._output_shape,
        mask=layer.mask,
        arguments=dict(layer.arguments),
        name=config["name"],
        dtype=layer.dtype_policy,
    )


def cloned(layer: Any, changed: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Any:
    """Return a new layer with the layer's config, or what `changed` makes of it.

    Raises:
        UnsupportedError: The layer cannot be made from its config; the message has Keras's reason.
    """
    try:
        config = layer.get_config()
        return clone_layer(layer, changed(config) if changed else config)
    except Exception as error:
        reason = said(error)
        raise UnsupportedError(
            f"The layer {layer.name!r} of class {type(layer).__name__} cannot be made again from its config: {reason} "
            "Write its get_config (and register what it names with keras.saving.register_keras_serializable). "
            "Weights can be mutated all the same: in place (inplace=True), or for a while with gw.mutated(...)."
        ) from error


def cloned_operation(operation: Any) -> Any:
    """Return a copy of a keras.ops operation, which has no weights, without its place in the old graph."""
    clone = copy.copy(operation)
    clone._inbound_nodes = []
    clone._outbound_nodes = []
    return clone


def transfer(old: Sequence[Member], model: Any) -> None:
    """Assign the values of variables to those of the same names in `model`, and tie what was tied.

    Raises:
        UnsupportedError: A name is missing or has another shape or dtype; nothing has been changed then.
    """
    tie_again(old, model)
    new = members_of(model)
    pairs: list[tuple[Any, Any]] = []
    for member in old:
        name = member.names[0]
        found = new.get(name)
        wanted, has = _kind(member.variable), "missing" if found is None else _kind(found.variable)
        if found is None or has != wanted:
            raise UnsupportedError(
                f"The model made again from its config differs: {name!r}, {wanted}, is {has} there. Mutate it in place "
                "(inplace=True), or for a while with gw.mutated(...)."
            )
        pairs.append((member.variable, found.variable))
    for source, target in pairs:
        target.assign(np.array(array_of(source)))
        if target.trainable != source.trainable:
            target.trainable = source.trainable


def _kind(variable: Any) -> str:
    return f"{variable.dtype} of shape {tuple(variable.shape)}"


def settle(old: Any, new: Any) -> None:
    """Carry over what a layer keeps beside config and variables.

    That is: vocabularies, statistics made ready
    for use, the state of seed generators.
    """
    pairs = zip(old._flatten_layers(), new._flatten_layers(), strict=True)
    for before, after in pairs:
        if hasattr(before, "save_assets") and hasattr(after, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                before.save_assets(folder)
                after.load_assets(folder)
        if hasattr(after, "finalize_state") and after.built:
            after.finalize_state()
        for drawn, drawing in zip(before._seed_generators, after._seed_generators, strict=True):
            drawing.state.assign(np.array(array_of(drawn.state)))


@contextmanager
def python_random_kept() -> Generator[None]:
    """Leave Python's random generator as it was: Keras draws seeds for new layers from it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
