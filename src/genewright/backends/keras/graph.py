"""Functional and Sequential models made again, layer by layer: as they are, or with a different architecture."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from genewright.backends.keras.cloning import cloned, cloned_operation, copy_extra_state
from genewright.backends.keras.configs import computing_in, unbuilt
from genewright.backends.keras.independence import refuse_replaced_methods
from genewright.backends.keras.input_shapes import INPUTS, Lengths
from genewright.backends.keras.library import attributes_of, class_of, keras
from genewright.backends.keras.members import is_graph, layers_of
from genewright.backends.keras.rewiring import UNCHANGED, Changes
from genewright.backends.keras.skip_init import skip_init
from genewright.errors import UnsupportedError


class Rebuilder:
    """Makes one model again; a layer that is used in several places stays one layer.

    Args:
        model: A built Functional or Sequential model.
        changes: What becomes different.
    """

    def __init__(self, model: Any, changes: Changes = UNCHANGED) -> None:
        self._model = model
        self._changes = changes
        self._clones: dict[int, Any] = {}
        self._originals: list[tuple[Any, Any]] = []
        self._paths: dict[int, str] = {}
        self._waiting: dict[str, dict[str, Any]] = {}
        self._lengths: dict[int, dict[int, int]] = {}
        for path, layer in layers_of(model).items():
            self._paths.setdefault(id(layer), path)

    def model(self) -> Any:
        """Return the new model, with fresh weights, not compiled."""
        layers = layers_of(self._model)
        self._waiting = {}
        for name, entries in self._changes.configs.items():  # a layer that is used in several places has several names
            if not name:
                lengths: Lengths = entries.get(INPUTS, {})
                self._lengths = {id(self._model.inputs[number]): new for number, new in lengths.items()}
                continue
            own = self._paths[id(layers[name])] if name in layers else name
            self._waiting[own] = {**self._waiting.get(own, {}), **entries}
        new = self._remade(self._model, "")
        if self._waiting:
            raise UnsupportedError(
                f"The settings of {next(iter(self._waiting))!r} cannot change on their own: the layer is part of "
                "another one. Nothing has been changed."
            )
        return new

    def copy_extra_state(self) -> None:
        """Carry over what layers keep beside their variables; call it when the variables have their values."""
        for old, new in self._originals:
            copy_extra_state(old, new)

    def _layer(self, layer: Any, given: tuple[Any, ...] = ()) -> Any:
        """Return the new layer for an old one; a nested model is made for inputs as wide as those it receives now."""
        if id(layer) in self._clones:
            return self._clones[id(layer)]
        if not isinstance(layer, keras.layers.Layer):
            new = cloned_operation(layer)
        elif is_graph(layer):
            new = self._remade(layer, self._paths[id(layer)], given)
        else:
            path = self._paths.get(id(layer), str(layer.name))
            replaced = self._changes.replaced.get(path)
            new = replaced.make() if replaced else cloned(layer, functools.partial(self._configured, path))
            if not replaced:
                self._originals.append((layer, new))
        self._clones[id(layer)] = new
        return new

    def _configured(self, path: str, config: dict[str, Any]) -> dict[str, Any]:
        """Return what a layer's config becomes."""
        config = unbuilt({**config, **self._waiting.pop(path, {})})
        return computing_in(config, self._changes.dtype) if self._changes.dtype else config

    def _remade(self, model: Any, path: str, given: tuple[Any, ...] = ()) -> Any:
        prefix = f"{path}." if path else ""
        sequential = isinstance(model, keras.Sequential)
        if sequential and not self._changes.branches(prefix):
            new = self._sequential(model, prefix, given)
        else:
            new = self._functional(model._functional if sequential else model, model.name, prefix, given)
        refuse_replaced_methods(model, new)
        new.trainable = model.trainable
        attributes_of(new)["_dtype_policy"] = self._policy(model)
        if type(new) is not type(model) and not sequential:
            new.__class__ = type(model)  # the user's own class, made by its functional constructor
        for attribute, value in attributes_of(model).items():
            plain = value is None or isinstance(value, str | int | float | bool)
            if plain and not attribute.startswith("_") and attribute not in attributes_of(new):
                setattr(new, attribute, value)
        return new

    def _sequential(self, model: Any, prefix: str, given: tuple[Any, ...]) -> Any:
        if not getattr(model, "_functional", None):
            raise UnsupportedError(
                f"The Sequential model {model.name!r} has no graph: its inputs are not one tensor. "
                "Mutate it in place (inplace=True)."
            )
        x = self._input(model._functional.inputs[0], given[0] if given else None)
        layers: list[Any] = [x]
        for layer in model.layers:
            place = prefix + layer.name
            made: list[Any] = []
            if place in self._changes.before:
                made.extend(self._changes.before[place].chain)
            if place not in self._changes.removed:
                made.append(self._layer(layer, (x,)))
            if place in self._changes.inserted:
                made.extend(self._changes.inserted[place].chain)
            for one in made:  # as Sequential does, to know the next one's input
                with skip_init(one):
                    x = one(x)
            layers.extend(made)
        new = keras.Sequential(layers, name=model.name)
        if type(model) is not keras.Sequential:
            new.__class__ = type(model)
        return new

    def _functional(self, model: Any, name: str, prefix: str, given: tuple[Any, ...]) -> Any:
        wanted = iter(given or (None,) * len(model._inputs))

        def made(tensor: Any) -> Any:
            return self._input(tensor, next(wanted))

        inputs = keras.tree.map_structure(made, model._inputs_struct)
        values = dict(zip(map(id, model._inputs), keras.tree.flatten(inputs), strict=True))
        taken: dict[str, Any] = {}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.operation or node.is_input:
                    continue
                args, keywords = node.arguments.fill_in(values)
                place = prefix + node.operation.name
                taken.setdefault(place, next(iter(_tensors(args, keywords)), None))
                result = self._changes.after(place, self._called(node.operation, place, args, keywords), taken)
                outputs = keras.tree.flatten(result)
                if len(outputs) != len(node.outputs):
                    raise UnsupportedError(
                        f"{place!r} would return {len(outputs)} outputs, and has {len(node.outputs)}. Nothing has been "
                        "changed."
                    )
                values.update(zip(map(id, node.outputs), outputs, strict=True))

        def known(tensor: Any) -> Any:
            return values[id(tensor)]

        outputs = keras.tree.map_structure(known, model._outputs_struct)
        return keras.Model(inputs, outputs, name=name)

    def _called(self, operation: Any, place: str, args: Any, keywords: Any) -> Any:
        removed = place in self._changes.removed
        tensors = _tensors(args, keywords)
        if removed and len(set(map(id, tensors))) > 1:
            raise UnsupportedError(
                f"{place!r} of class {type(operation).__name__} receives several tensors: leaving it out does not say "
                "which of them goes on. Nothing has been changed."
            )
        if removed:
            return tensors[0]
        given: tuple[Any, ...] = ()
        if is_graph(operation):
            tensors = tuple(keras.tree.flatten(args))
            given = tensors if len(tensors) == len(operation.inputs) else ()
        layer = self._layer(operation, given)
        if place in self._changes.before:
            args = (self._changes.before[place].on(args[0]), *args[1:])
        if place in self._changes.replaced:
            keywords = _taken(layer, keywords)
            _refuse_call(layer, place, args, keywords)
        with skip_init(layer):
            return layer(*args, **keywords)

    def _input(self, tensor: Any, given: Any = None) -> Any:
        """Return a new input like one of a model's, with the lengths of what it receives where they were fixed."""
        layer = tensor._keras_history.operation
        config = layer.get_config()
        if given is not None:
            old = config["batch_shape"]
            config["batch_shape"] = [was and now for was, now in zip(old, given.shape, strict=True)]
        for axis, length in self._lengths.get(id(tensor), {}).items():
            config["batch_shape"] = _with(config["batch_shape"], axis, length)
        if self._changes.dtype:
            config = computing_in(config, self._changes.dtype)
        new = class_of(layer).from_config(config)
        attributes_of(new)["_dtype_policy"] = self._policy(layer)
        return new.output

    def _policy(self, layer: Any) -> Any:
        """Return the dtype policy of what is made again; models and inputs have it from nowhere else."""
        return keras.DTypePolicy(self._changes.dtype) if self._changes.dtype else layer.dtype_policy


def _with(shape: Sequence[Any], axis: int, length: int) -> tuple[Any, ...]:
    return tuple(length if place == axis else size for place, size in enumerate(shape))


def _tensors(args: Sequence[Any], keywords: Mapping[str, Any]) -> list[Any]:
    """Return the tensors of the graph that a layer is called with, in order."""
    return [one for one in keras.tree.flatten((args, keywords)) if isinstance(one, keras.KerasTensor)]


def _taken(layer: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments without those that Keras adds by itself where a layer takes them."""
    known = inspect.signature(layer.call).parameters
    return {k: v for k, v in keywords.items() if k in known or not (v is None or k == "training")}


def _refuse_call(layer: Any, place: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    """Refuse a layer that cannot be called as the one that it replaces."""
    try:
        inspect.signature(layer.call).bind(*args, **keywords)
    except TypeError as error:
        raise UnsupportedError(
            f"{place!r} is called with {len(args) + len(keywords)} arguments, which {class_of(layer).__name__} does "
            f"not take: {error}. Nothing has been changed."
        ) from error
