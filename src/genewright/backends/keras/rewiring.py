"""What becomes different when a model is made again: the architecture's changes as data."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from genewright.backends.keras.members import is_graph, is_of_keras, layers_of
from genewright.backends.keras.new_layers import Blend, NewLayer, NewLayers, added
from genewright.backends.keras.specs import blended, free_name, layer_called, new_layers, policy_of
from genewright.backends.keras.translating import in_keras
from genewright.edits import InsertLayer, RemoveLayer, ReplaceLayer, Rewire
from genewright.errors import UnsupportedError


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
        return added(made, path, self.gate, self.name, self.path.dtype)


@dataclass
class Changes:
    """Changes by the names of layers.

    Attributes:
        configs: Entries of layers' configs that become different.
        replaced: Layers in the place of others.
        inserted: Layers that work on what another one returns.
        removed: Layers that are left out.
        skips: Gated paths.
        before: Layers that work on what another one receives.
        blends: Activations blended into the outputs of layers.
        dtype: The floating dtype that every layer computes in, or "" for the one that it has.
    """

    configs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    replaced: dict[str, NewLayer] = field(default_factory=dict[str, NewLayer])
    inserted: dict[str, NewLayers] = field(default_factory=dict[str, NewLayers])
    removed: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    before: dict[str, NewLayers] = field(default_factory=dict[str, NewLayers])
    blends: dict[str, Blend] = field(default_factory=dict[str, Blend])
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

    def anew(self) -> Changes:
        """Return the same changes with new layers of their own: a layer that was built to be looked at is used up."""
        return replace(
            self,
            inserted={place: replace(new) for place, new in self.inserted.items()},
            before={place: replace(new) for place, new in self.before.items()},
            skips=tuple(replace(skip, path=replace(skip.path)) for skip in self.skips),
        )

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
        return any(_parent(place) == own for place in (*(skip.end for skip in self.skips), *gated, *self.blends))

    def after(self, place: str, made: Any, taken: dict[str, Any]) -> Any:
        """Return what follows the output `made` of a layer.

        Args:
            place: The layer's name.
            made: Its output.
            taken: The inputs of the layers that have run, by name.
        """
        if place in self.blends:
            made = self.blends[place].on(taken[place], made)
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
    layer = in_keras(edit.layer)
    if isinstance(layer, Mapping) and layer.get("layer") == "Blend":
        _refuse_shared(edit.after, model)
        return Changes(blends={edit.after: blended(layer, edit.after, model)})
    new = new_layers(layer, edit.label, own, model, layer_called(edit.after, model))
    if new.gate is not None:
        _refuse_shared(edit.after, model)
    return Changes(inserted={edit.after: new})


@_changes_of.register
def _remove(edit: RemoveLayer, model: Any) -> Changes:
    _refuse_outside_graph(edit.layer, model)
    return Changes(removed=(edit.layer,))


@_changes_of.register
def _replace(edit: ReplaceLayer, model: Any) -> Changes:
    old = layer_called(edit.layer, model)
    owner = layers_of(model).get(_parent(edit.layer), model)  # an entry of a list has no layer for a parent
    if is_graph(model) or is_of_keras(owner):  # code of the user's calls whatever layer is in that place
        _refuse_outside_graph(edit.layer, model)
    own = edit.layer.rsplit(".", 1)[-1]
    made = in_keras(edit.new)
    if isinstance(made, Mapping) and made.get("layer") == "Blend":
        _refuse_outside_graph(edit.layer, model)
        _refuse_shared(edit.layer, model)
        return Changes(blends={edit.layer: blended(made, edit.layer, model)})
    chain = list(made.get("layers", ())) if isinstance(made, Mapping) else []
    if len(chain) > 1 and chain[-1] == {"copy": edit.layer}:  # the layer itself, behind others
        first = new_layers({"layer": "Sequential", "layers": chain[:-1]}, None, own, model, old)
        return Changes(before={edit.layer: first})
    new = new_layers(made, own, own, model, old)
    if len(new.layers) != 1 or new.gate is not None:
        raise UnsupportedError("A Keras layer is replaced by one layer; insert further ones with gw.InsertLayer.")
    return Changes(replaced={edit.layer: replace(new.layers[0], name=own)})


@_changes_of.register
def _rewire(edit: Rewire, model: Any) -> Changes:
    for name in (edit.start, edit.end):
        _refuse_outside_graph(name, model)
    if _parent(edit.start) != _parent(edit.end):
        raise UnsupportedError(f"{edit.start!r} and {edit.end!r} lie in different models; a path joins layers of one.")
    base = free_name(f"{edit.end.rsplit('.', 1)[-1]}_skip", model)
    end = layer_called(edit.end, model)
    path = NewLayers((), None, base, policy_of(end))
    through = in_keras(edit.path)
    if through != "identity":
        path = new_layers(through, f"{base}_path", base, model, end)
    return Changes(skips=(Skip(edit.start, edit.end, path, edit.gate, base),))


def _refuse_outside_graph(name: str, model: Any) -> None:
    """Refuse a layer whose place is inside another layer's Python code."""
    layer_called(name, model)
    parent = _parent(name)
    owner = layers_of(model).get(parent, model)
    if not is_graph(owner):
        raise UnsupportedError(
            f"{name!r} lies in {parent or owner.name!r} of class {type(owner).__name__}, whose wiring is Python code. "
            "Layers can be added and removed in Functional and Sequential models: make that part of it one."
        )


def _refuse_shared(name: str, model: Any) -> None:
    """Refuse a gate beside a layer that is called several times: every call would need one of its own."""
    owner = layer_called(_parent(name), model) if _parent(name) else model
    inner = getattr(owner, "_functional", owner)
    nodes = [node for nodes in inner._nodes_by_depth.values() for node in nodes]
    times = sum(node.operation is layer_called(name, model) for node in nodes)
    if times > 1:
        raise UnsupportedError(f"A gate stands beside one call of a layer; {name!r} is called {times} times.")


def _parent(name: str) -> str:
    return name.rpartition(".")[0]
