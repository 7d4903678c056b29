"""Making a layer again from its config, and carrying over what the config does not hold."""

from __future__ import annotations

import copy
import functools
import importlib
import random
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from genewright.backends.keras.independence import refuse_replaced_methods
from genewright.backends.keras.kept_state import recurrent_states
from genewright.backends.keras.library import array_of, class_of, error_text, keras
from genewright.backends.keras.members import Member, members_of
from genewright.backends.keras.own_state import carry_own_state
from genewright.backends.keras.tying import tie_again
from genewright.errors import UnsupportedError
from genewright.process_state import LOCK, Here, StandIn


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
        UnsupportedError: The layer cannot be made from its config; the message has Keras's reason. Or a method was
            replaced on the instance, which a config does not say.
    """
    try:
        config = layer.get_config()
        config = changed(config) if changed else config
        made = clone_layer(layer, config)
        made.name = config.get("name", layer.name)  # a class that passes its settings on may not say it in its config
    except Exception as error:
        reason = error_text(error)
        raise UnsupportedError(
            f"The layer {layer.name!r} of class {type(layer).__name__} cannot be made again from its config: {reason} "
            "Write its get_config (and register what it names with keras.saving.register_keras_serializable). "
            "Weights can be mutated all the same: in place (inplace=True), or for a while with gw.mutated(...)."
        ) from error
    refuse_replaced_methods(layer, made)
    return made


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


def copy_extra_state(old: Any, new: Any) -> None:
    """Carry over what a layer keeps beside config and variables.

    That is: vocabularies, statistics made ready for use, what its class saves by `save_own_variables`, the state of
    seed generators and of stateful recurrent layers.
    """
    pairs = zip(old._flatten_layers(), new._flatten_layers(), strict=True)
    for before, after in pairs:
        if hasattr(before, "save_assets") and hasattr(after, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                before.save_assets(folder)
                after.load_assets(folder)
        carry_own_state(before, after)
        if hasattr(after, "finalize_state") and after.built:
            after.finalize_state()
        for drawn, drawing in zip(before._seed_generators, after._seed_generators, strict=True):
            drawing.state.assign(np.array(array_of(drawn.state)))
        states, fresh = recurrent_states(before), recurrent_states(after)
        if [tuple(one.shape) for one in states] == [tuple(one.shape) for one in fresh]:  # else of another width: zero
            for held, holding in zip(states, fresh, strict=True):
                holding.assign(np.array(array_of(held)))


@contextmanager
def preserve_python_random() -> Generator[None]:
    """Leave Python's random generator alone inside the block: Keras draws seeds for new layers from it.

    Keras gets another generator on this thread, which starts alike every time; other threads notice nothing.
    """
    stand_in = _seeds()
    if stand_in is not None:
        with stand_in.inside():
            yield
        return
    with LOCK:  # a version of Keras that draws them elsewhere
        state = random.getstate()
        try:
            yield
        finally:
            random.setstate(state)


@functools.cache
def _seeds() -> StandIn | None:
    """Return what stands in for Python's `random` in the one module of Keras 3.15 that draws from it."""
    try:
        module = importlib.import_module("keras.src.random.seed_generator")
    except ImportError:
        return None
    return StandIn(module, "python_random", _Random) if hasattr(module, "python_random") else None


class _Random:
    """Python's `random` on other threads; on threads that are inside a generator of their own."""

    def __init__(self, everywhere: Any, here: Here) -> None:
        self._everywhere, self._here = everywhere, here
        self._own = threading.local()

    def __getattr__(self, name: str) -> Any:
        if not self._here:
            return getattr(self._everywhere, name)
        if not hasattr(self._own, "generator"):
            self._own.generator = random.Random(0)  # noqa: S311  # seeds of layers whose weights are replaced
        return getattr(self._own.generator, name)
