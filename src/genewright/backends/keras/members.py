"""The variables of a Keras model under stable names, whatever backend runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from genewright.backends.keras.library import attributes_of, keras
from genewright.errors import UnsupportedError
from genewright.tensor import in_order

_AUTOMATIC = re.compile(r"variable(_\d+)?")  # what Keras calls a variable that was given no name

_OF_TENSORFLOW = "_self_"  # what TensorFlow's tracking notes on a layer beside its attributes


@dataclass
class Member:
    """A variable of a model with all its names.

    Attributes:
        variable: The `keras.Variable`.
        owner: The layer that holds it under its first name.
        attribute: Its name there.
        layer: The owner's name.
        is_parameter: The layer made it to be trained (frozen or not).
        names: Its names, the one that it goes by first.
    """

    variable: Any
    owner: Any
    attribute: str
    layer: str
    is_parameter: bool
    names: list[str] = field(default_factory=list[str])


def members_of(model: Any) -> dict[str, Member]:
    """Return parameters, then other variables, by name; those that have several names once.

    A name is the path of layers and the variable's own name: ``"conv2d_1.kernel"``, ``"encoder.dense.bias"``. In a
    Functional or Sequential model, and in Keras's own layers, a layer goes by its name; in a class of the user's by
    the attribute that holds it (``self.blocks[0]`` is ``"blocks.0"``), for automatic names count how many layers the
    process has made. The variables of metrics, optimizers and seed generators do not belong to the network, as they
    are in no weights file or have a place of their own there. A variable with several names (a shared layer in two
    nested models, a tie) goes by the first of them (`in_order`).

    Raises:
        UnsupportedError: The model, or a layer in it, is not built: it has no variables yet. It is named.
    """
    refuse_unbuilt(model)
    tied: dict[int, list[Member]] = {}
    for member in _walk(model, "", ()):
        tied.setdefault(id(member.variable), []).append(member)
    members: dict[str, Member] = {}
    for ones in sorted(tied.values(), key=lambda ones: not ones[0].is_parameter):  # stable: in the model's order
        names = in_order({one.names[0] for one in ones})
        first = next(one for one in ones if one.names[0] == names[0])
        first.names = names
        if first.names[0] in members:
            raise UnsupportedError(
                f"Two variables of this {type(model).__name__} are called {first.names[0]!r}. "
                "Give the layers that hold them different names."
            )
        members[first.names[0]] = first
    return members


def holders_of(model: Any) -> dict[str, tuple[Any, Any]]:
    """Return the layer that holds each variable and the variable, by each of its names."""
    return {member.names[0]: (member.owner, member.variable) for member in _walk(model, "", ())}


def layers_of(model: Any) -> dict[str, Any]:
    """Return every layer below the model by its first name, in the model's order."""
    found: dict[str, Any] = {}
    for path, layer in _layers(model, "", ()):
        found.setdefault(path, layer)
    return found


def is_graph(layer: Any) -> bool:
    """Whether a layer is a Functional or Sequential model: its layers have names of their own."""
    return isinstance(layer, keras.Sequential) or _is_functional(layer)


def refuse_unbuilt(model: Any) -> None:
    """Refuse a model that has no variables yet because it does not know the shape of its inputs."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise UnsupportedError(
            f"The Sequential model {model.name!r} is not built: it has no weights yet. Begin it with "
            "keras.Input(shape=...), or call model.build(input_shape) first."
        )
    if not model.built:
        raise UnsupportedError(
            f"{model.name!r} of class {type(model).__name__} is not built: it has no weights yet. Call it once on a "
            "sample (model(sample)), or model.build(input_shape), first."
        )


def children_of(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers directly in a layer, each with its name there."""
    if is_graph(layer):
        for child in layer.layers:
            yield child.name, child
        return
    attributes = {} if is_of_keras(layer) else _attributes(layer, keras.layers.Layer)
    used: dict[str, int] = {}
    for child in layer._flatten_layers(include_self=False, recursive=False):
        name = attributes.get(id(child)) or str(child.name)
        used[name] = used.get(name, -1) + 1
        yield f"{name}_{used[name]}" if used[name] else name, child


def is_of_keras(layer: Any) -> bool:
    """Whether a layer is of one of Keras's own classes."""
    return type(layer).__module__.split(".", 1)[0] == "keras"


def _is_functional(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and hasattr(layer, "_nodes_by_depth")


def _layers(layer: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    for name, child in children_of(layer):
        if id(child) in (*above, id(layer)):
            continue  # a layer that holds the one around it
        place = f"{path}.{name}" if path else name
        yield place, child
        yield from _layers(child, place, (*above, id(layer)))


def _walk(layer: Any, path: str, above: tuple[int, ...]) -> Iterator[Member]:
    yield from _own(layer, path)
    for place, child in _layers(layer, path, above):
        yield from _own(child, place)


def _own(layer: Any, path: str) -> Iterator[Member]:
    """Yield the variables that a layer itself holds."""
    trained: list[Any] = list(layer._trainable_variables)
    others: list[Any] = list(layer._non_trainable_variables)
    unnamed = any(_AUTOMATIC.fullmatch(str(variable.name)) for variable in (*trained, *others))
    attributes = _attributes(layer, keras.Variable) if unnamed else {}
    used: dict[str, int] = {}
    for variables, is_parameter in ((trained, True), (others, False)):
        for variable in variables:
            name = str(variable.name)
            if _AUTOMATIC.fullmatch(name):
                name = attributes.get(id(variable), name)
            used[name] = used.get(name, -1) + 1
            attribute = f"{name}.{used[name]}" if used[name] else name
            full = f"{path}.{attribute}" if path else attribute
            yield Member(variable, layer, attribute, path, is_parameter, [full])


def _attributes(owner: Any, kind: Any) -> dict[int, str]:
    """Return the attribute that holds each object of a kind, by the object's id; list entries by position."""
    held: dict[str, Any] = dict(attributes_of(owner))
    held |= held.get("_modules", {})  # where torch keeps layers, on Keras's torch backend
    held |= held.get("_parameters", {})
    places: dict[int, str] = {}
    for attribute, value in held.items():
        if attribute in (
            "_layers",
            "_metrics",
            "_modules",
            "_parameters",
            "_trainable_variables",
        ) or attribute.startswith(_OF_TENSORFLOW):
            continue
        for place, found in _found(attribute.removeprefix("_"), value, kind, 0):
            places.setdefault(id(found), place)
    return places


def _found(place: str, value: Any, kind: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kind):
        yield place, value
    elif depth < 4 and isinstance(value, Mapping):
        for key, entry in cast(Mapping[Any, Any], value).items():
            yield from _found(f"{place}.{key}", entry, kind, depth + 1)
    elif depth < 4 and isinstance(value, list | tuple):
        for position, entry in enumerate(cast(Sequence[Any], value)):
            yield from _found(f"{place}.{position}", entry, kind, depth + 1)
