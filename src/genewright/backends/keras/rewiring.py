"""What becomes different when a model is made again: the architecture's changes as data."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genewright.backends.keras.library import keras, said
from genewright.backends.keras.members import is_graph, layers_of
from genewright.edit import InsertLayer, RemoveLayer, ReplaceLayer, Rewire
from genewright.errors import SettingError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean, snake_case
from genewright.spec import Spec


@dataclass(frozen=True)
class NewLayer:
    """A layer to be made.

    Attributes:
        spec: ``{"class_name": ..., "config": {...}}`` as Keras writes it.
        name: Its name.
        copied: The layer of the model whose weights it takes over, or "".
    """

    spec: dict[str, Any]
    name: str
    copied: str = ""

    def make(self) -> Any:
        """Return the layer, not built yet.

        Raises:
            SettingError: Keras has no such layer, or its config is wrong.
        """
        config = {**self.spec.get("config", {}), "name": self.name}
        spec = {"module": "keras.layers", "registered_name": None, **self.spec, "config": config}
        try:
            return keras.saving.deserialize_keras_object(spec)
        except Exception as error:
            name = str(self.spec.get("class_name"))
            known = [n for n in dir(keras.layers) if n[0].isupper()]
            hint = "" if name in known else f" {did_you_mean(name, known)}"
            raise SettingError(f"No layer can be made of {self.spec!r}: {said(error)}{hint}") from error


@dataclass(frozen=True)
class NewLayers:
    """Layers that work one after the other, or a gated path beside nothing: x + gate * layers(x).

    Attributes:
        layers: The layers.
        gate: The gate at first, or None for none.
        name: What the names of the gate and the sum begin with.
    """

    layers: tuple[NewLayer, ...]
    gate: float | None
    name: str

    def chain(self) -> list[Any]:
        """Return the layers themselves, made anew."""
        return [layer.make() for layer in self.layers]

    def on(self, given: Any) -> Any:
        """Return what follows from `given`."""
        made = given
        for layer in self.chain():
            made = layer(made)
        if self.gate is None:
            return made
        if tuple(made.shape) != tuple(given.shape):
            raise SettingError(
                f"A gated layer has to return the shape that it is given, {tuple(given.shape)}; it returns "
                f"{tuple(made.shape)}."
            )
        return added(given, made, self.gate, self.name)


def added(made: Any, path: Any, gate: float, name: str) -> Any:
    """Return made + gate * path, with a trainable gate for each channel: two layers of Keras's own."""
    letters = "abcdefghijk"[: len(made.shape)]
    gated = keras.layers.EinsumDense(
        f"{letters},{letters[-1]}->{letters}",
        output_shape=tuple(made.shape[1:]),
        kernel_initializer=keras.initializers.Constant(gate),
        name=f"{name}_gate",
    )
    return keras.layers.Add(name=f"{name}_add")([made, gated(path)])


@dataclass(frozen=True)
class Skip:
    """A gated path from the input of one layer to the output of another: y + gate * path(x).

    Attributes:
        start: The layer whose input it takes.
        end: The layer to whose output it is added.
        path: The layers on the way, perhaps none.
        gate: The gate at first.
        name: What the names of the new layers begin with.
    """

    start: str
    end: str
    path: NewLayers
    gate: float
    name: str

    def joined(self, taken: Any, made: Any) -> Any:
        """Return `made` with the gated path from `taken` added."""
        path = self.path.on(taken)
        if tuple(path.shape) != tuple(made.shape):
            raise UnsupportedError(
                f"A path from the input of {self.start!r}, of shape {tuple(path.shape)}, cannot be added to the output "
                f"of {self.end!r}, of shape {tuple(made.shape)}. Name layers with one shape, or give a path that leads "
                "from one to the other."
            )
        return added(made, path, self.gate, self.name)


@dataclass
class Changes:
    """Changes by the names of layers.

    Attributes:
        configs: Entries of layers' configs that become different.
        replaced: Layers in the place of others.
        inserted: Layers that work on what another one returns.
        removed: Layers that are left out.
        skips: Gated paths.
        dtype: The floating dtype that every layer computes in, or "" for the one that it has.
    """

    configs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    replaced: dict[str, NewLayer] = field(default_factory=dict[str, NewLayer])
    inserted: dict[str, NewLayers] = field(default_factory=dict[str, NewLayers])
    removed: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    dtype: str = ""

    @classmethod
    def of(cls, edit: object, model: Any) -> Changes:
        """Return the changes that an edit asks for.

        Raises:
            UnknownNameError: It names a layer that the model does not have.
            SettingError: It asks for a layer that cannot be made.
            UnsupportedError: A Keras model does not take such an edit, or not there.
        """
        return _changes_of(edit, model)

    def copies(self) -> dict[str, str]:
        """Return the layers that take over another one's weights, with that one, by name."""
        found: dict[str, str] = {}
        for after, new in self.inserted.items():
            parent = _parent(after)
            for layer in new.layers:
                if layer.copied:
                    found[f"{parent}.{layer.name}" if parent else layer.name] = layer.copied
        for place, layer in self.replaced.items():
            if layer.copied:
                found[place] = layer.copied
        return found

    def branches(self, prefix: str) -> bool:
        """Whether the model whose layers' names begin with `prefix` stops being a chain."""
        own = prefix.rstrip(".")
        gated = [after for after, new in self.inserted.items() if new.gate is not None]
        return any(_parent(place) == own for place in (*(skip.end for skip in self.skips), *gated))

    def after(self, place: str, made: Any, taken: dict[str, Any]) -> Any:
        """Return what follows the output `made` of a layer.

        Args:
            place: The layer's name.
            made: Its output.
            taken: The inputs of the layers that have run, by name.
        """
        if place in self.inserted:
            made = self.inserted[place].on(made)
        for skip in self.skips:
            if skip.end == place:
                if skip.start not in taken:
                    raise UnsupportedError(f"{skip.end!r} comes before {skip.start!r}; a path leads forward.")
                made = skip.joined(taken[skip.start], made)
        return made


UNCHANGED = Changes()


@functools.singledispatch
def _changes_of(edit: object, model: Any) -> Changes:
    raise UnsupportedError(f"{type(edit).__name__} is no edit that a Keras model takes.")


@_changes_of.register
def _insert(edit: InsertLayer, model: Any) -> Changes:
    _refuse_outside_graph(edit.after, model)
    own = edit.after.rsplit(".", 1)[-1]
    return Changes(inserted={edit.after: _new_layers(edit.layer, edit.name, own, model)})


@_changes_of.register
def _remove(edit: RemoveLayer, model: Any) -> Changes:
    _refuse_outside_graph(edit.layer, model)
    return Changes(removed=(edit.layer,))


@_changes_of.register
def _replace(edit: ReplaceLayer, model: Any) -> Changes:
    _refuse_outside_graph(edit.layer, model)
    own = edit.layer.rsplit(".", 1)[-1]
    new = _new_layers(edit.new, own, own, model)
    if len(new.layers) != 1 or new.gate is not None:
        raise UnsupportedError("A Keras layer is replaced by one layer; insert further ones with gw.InsertLayer.")
    return Changes(replaced={edit.layer: NewLayer(new.layers[0].spec, own, new.layers[0].copied)})


@_changes_of.register
def _rewire(edit: Rewire, model: Any) -> Changes:
    for name in (edit.start, edit.end):
        _refuse_outside_graph(name, model)
    if _parent(edit.start) != _parent(edit.end):
        raise UnsupportedError(f"{edit.start!r} and {edit.end!r} lie in different models; a path joins layers of one.")
    base = _free_name(f"{edit.end.rsplit('.', 1)[-1]}_skip", model)
    path = NewLayers((), None, base) if edit.path == "identity" else _new_layers(edit.path, f"{base}_path", base, model)
    return Changes(skips=(Skip(edit.start, edit.end, path, edit.gate, base),))


def layer_called(name: str, model: Any) -> Any:
    """Return the layer of that name.

    Raises:
        UnknownNameError: There is none; the message has near names.
    """
    layers = layers_of(model)
    if name not in layers:
        raise UnknownNameError(f"No layer is called {name!r}. {did_you_mean(name, layers)}")
    return layers[name]


def _refuse_outside_graph(name: str, model: Any) -> None:
    """Refuse a layer whose place is inside another layer's Python code."""
    layer_called(name, model)
    parent = _parent(name)
    owner = layer_called(parent, model) if parent else model
    if not is_graph(owner):
        raise UnsupportedError(
            f"{name!r} lies in {parent or owner.name!r} of class {type(owner).__name__}, whose wiring is Python code. "
            "Layers can be added, replaced and removed in Functional and Sequential models."
        )


def _new_layers(spec: Spec, name: str | None, after: str, model: Any) -> NewLayers:
    """Return the layers of a specification: of one layer, of a sequence, or of a gated one."""
    gate: float | None = None
    specs: list[Spec] = [spec]
    if isinstance(spec, Mapping) and spec.get("layer") in ("Sequential", "Gated"):
        inner = (
            _new_layers({"layer": "Sequential", "layers": spec["layers"]}, name, after, model)
            if (spec["layer"] == "Gated")
            else None
        )
        if inner is not None:
            return NewLayers(inner.layers, 0.0, inner.name)
        specs = list(spec["layers"])
    if isinstance(spec, Mapping) and "copy" in spec and "gate" in spec:
        gate = float(spec["gate"])
    layers: list[NewLayer] = []
    for one in _flat(specs):
        made = _spec(one, model)
        kind = snake_case(str(made.get("class_name", "layer")))
        own = made.get("config", {}).get("name")
        wanted = name if name and len(specs) == 1 else own or f"{name or after}_{kind}"
        copied = str(one["copy"]) if isinstance(one, Mapping) and "copy" in one else ""
        layers.append(NewLayer(made, _free_name(str(wanted), model, [layer.name for layer in layers]), copied))
    return NewLayers(tuple(layers), gate, layers[0].name if layers else after)


def _flat(specs: Sequence[Spec]) -> Iterator[Spec]:
    for spec in specs:
        if isinstance(spec, Mapping) and spec.get("layer") == "Sequential":
            yield from _flat(spec["layers"])
        else:
            yield spec


def _spec(spec: Spec, model: Any) -> dict[str, Any]:
    if spec == "identity":
        return {"class_name": "Identity", "config": {}}
    if isinstance(spec, str):
        return {"class_name": spec, "config": {}}
    entry = dict(spec)
    if "copy" in entry:
        layer = layer_called(str(entry["copy"]), model)
        config = {key: value for key, value in layer.get_config().items() if key != "name"}
        return {"class_name": type(layer).__name__, "config": config}
    if not isinstance(entry.get("class_name"), str) or not set(entry) <= {"class_name", "config"}:
        raise SettingError(
            'A Keras layer is {"class_name": "Dense", "config": {"units": 64, "activation": "relu"}}; '
            f"received {spec!r}."
        )
    if entry["class_name"] == "Lambda":
        raise SettingError("A Lambda layer holds Python code, which a recipe cannot carry. Write a layer class.")
    return entry


def _free_name(wanted: str, model: Any, more: Sequence[str] = ()) -> str:
    taken = {name.rsplit(".", 1)[-1] for name in layers_of(model)} | set(more)
    name, number = wanted, 1
    while name in taken or f"{name}_gate" in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _parent(name: str) -> str:
    return name.rpartition(".")[0]
