"""Swap layers of a subclassed model: the attributes that its Python code calls get new layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from genewright.backends.keras.cloning import cloned
from genewright.backends.keras.configs import unbuilt
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.library import attributes_of, class_of, error_text, keras
from genewright.backends.keras.members import is_graph, is_of_keras, layers_of
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.tracing import symbolic_inputs
from genewright.errors import UnsupportedError
from genewright.process_state import warnings_ignored

_COMPILED = ("train_function", "test_function", "predict_function")  # they hold the old variables
_DEEP = 4


def swap_layers(model: Any, fresh: Mapping[str, Any]) -> None:
    """Swap the layers of these names, wherever `model` holds them, and build the new ones by running its code.

    Raises:
        UnsupportedError: A layer is held where it cannot be exchanged, or the model does not run with the new ones.
    """
    layers = layers_of(model)
    new = {id(layers[name]): layer for name, layer in fresh.items()}
    for owner in (model, *layers.values()):
        _put(attributes_of(owner), new, 0)
        for known in owner._tracker.stored_ids.values():
            for old in known & set(new):
                known.discard(old)
                known.add(id(new[old]))
    left = [layer for layer in model._flatten_layers() if id(layer) in new]
    if left:
        raise UnsupportedError(
            f"{left[0].name!r} is held by {model.name!r} of class {type(model).__name__} where it cannot be "
            "exchanged. Hold it as an attribute, or in a list or dict. Nothing has been changed."
        )
    attributes_of(model).update({key: None for key in _COMPILED if key in attributes_of(model)})
    _run_on_shapes(model)


def replacement_layers(
    model: Any, changes: Changes, refitted: Iterable[str] = ()
) -> tuple[dict[str, Any], list[tuple[Any, Any]]]:
    """Return (new layers by the names of the old ones, pairs of old and new whose extra state is to be copied).

    `refitted` names layers that read or write a width that changes, though their settings stay.

    Raises:
        UnsupportedError: The changes ask for other wiring, or for a layer inside one of Keras's own.
    """
    if changes.inserted or changes.removed or changes.skips or changes.before or changes.blends:
        raise UnsupportedError(
            f"The model of class {type(model).__name__} is a subclassed one: its wiring is Python code, so no "
            "layer can be put in or taken out (sizes and settings of its layers can change). Make that part of it a "
            "Functional model, and mutate that. Nothing has been changed."
        )
    layers = layers_of(model)
    found: dict[str, Any] = {}
    pairs: list[tuple[Any, Any]] = []
    inner: dict[str, Changes] = {}
    configs: dict[str, dict[str, Any]] = {swappable_ancestor(name, model): {} for name in refitted} | changes.configs
    for name in (*configs, *changes.replaced):
        graph = _graph_around(name, model, layers)
        if {_graph_around(n, model, layers) for n, one in layers.items() if one is layers[name]} != {graph}:
            raise UnsupportedError(f"{name!r} is used inside a Functional model and outside it; change it there.")
        if graph:
            part = inner.setdefault(graph, Changes(dtype=changes.dtype))
            own = name.removeprefix(f"{graph}.")
            if name in changes.configs:  # one that is refitted alone is made again with the whole graph
                part.configs[own] = changes.configs[name]
            elif name in changes.replaced:
                part.replaced[own] = changes.replaced[name]
            continue
        if is_graph(layers[name]):
            inner.setdefault(name, Changes(dtype=changes.dtype))
            continue
        owner = layers.get(name.rpartition(".")[0], model)
        if is_of_keras(owner):
            raise UnsupportedError(
                f"The settings of {name!r} cannot change on their own: it is part of {owner.name!r}."
            )
        if name in changes.replaced:
            found[name] = changes.replaced[name].make()
            continue
        found[name] = _with(layers[name], configs[name])
        pairs.append((layers[name], found[name]))
    for name, part in inner.items():
        found[name] = Rebuilder(layers[name], part).model()
        pairs.append((layers[name], found[name]))
    return found, pairs


def swappable_layers(model: Any) -> list[str]:
    """Return the layers that can each be swapped by itself: Keras's own, graphs, and what has no layers inside."""
    layers = layers_of(model)
    parts = dict.fromkeys(swappable_ancestor(name, model) for name in layers)
    return [n for n in parts if is_graph(layers[n]) or is_of_keras(layers[n]) or not layers_of(layers[n])]


def swappable_ancestor(name: str, model: Any) -> str:
    """Return what can be swapped by itself: the layer, or the outermost graph or layer of Keras's around it."""
    layers, parts = layers_of(model), name.split(".")
    for count in range(1, len(parts)):
        above = layers.get(".".join(parts[:count]))
        if above is not None and (is_graph(above) or is_of_keras(above)):
            return ".".join(parts[:count])
    return name


def _with(layer: Any, entries: Mapping[str, Any]) -> Any:
    return cloned(layer, lambda config: unbuilt({**config, **entries}))


def _graph_around(name: str, model: Any, layers: Mapping[str, Any]) -> str:
    """Return the outermost Functional or Sequential model around a layer, or ""."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        above = ".".join(parts[:count])
        if above in layers and is_graph(layers[above]):
            return above
    return ""


def _put(held: Any, new: Mapping[int, Any], depth: int) -> Any:
    """Return what is held with layers swapped; lists and dicts are changed themselves, locked or not."""
    if id(held) in new:
        return new[id(held)]
    if depth > _DEEP:
        return held
    inside = getattr(held, "__wrapped__", held)  # what TensorFlow wraps a dict in
    if isinstance(inside, list):
        for place, one in enumerate(cast("list[Any]", inside)):
            cast("Any", list).__setitem__(inside, place, _put(one, new, depth + 1))
    elif isinstance(inside, dict):
        for key, one in list(cast("dict[Any, Any]", inside).items()):
            cast("Any", dict).__setitem__(inside, key, _put(one, new, depth + 1))
    elif isinstance(held, tuple):
        old = cast("tuple[Any, ...]", held)
        parts = [_put(one, new, depth + 1) for one in old]
        if any(a is not b for a, b in zip(old, parts, strict=True)):
            kind: Any = class_of(held)
            return kind._make(parts) if hasattr(kind, "_make") else kind(parts)
    return held  # pyright: ignore[reportUnknownVariableType]


def _run_on_shapes(model: Any) -> None:
    """Build what is not built, as Keras does: the model runs on shapes alone."""
    reason = ""
    for given in symbolic_inputs(model):
        inputs = keras.tree.map_structure(_input, given)
        first, *others = inputs
        nodes = _called_before(model)
        try:
            with warnings_ignored():  # that a layer has no build method: its layers are built one by one
                for training in (False, True):
                    keywords = {"training": training} if model._call_has_training_arg else {}
                    model(inputs[first], **{key: inputs[key] for key in others}, **keywords)
        except Exception as error:
            reason = reason or error_text(error)
            continue
        finally:
            nodes()
        return
    raise UnsupportedError(
        f"{model.name!r} of class {type(model).__name__} does not run with the changed layers: {reason} "
        "Its Python code may name a size that changed. Nothing has been changed."
    )


def _input(tensor: Any) -> Any:
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name="given")


def _called_before(model: Any) -> Callable[[], None]:
    """Return what forgets the symbolic calls of a model since."""
    before = len(model._inbound_nodes)

    def undo() -> None:
        cast("Any", list).__delitem__(model._inbound_nodes, slice(before, None))

    return undo
