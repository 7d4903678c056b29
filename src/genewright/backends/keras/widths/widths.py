"""The widths of a Keras model: knobs read off its graph, and what they need to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genewright.backends.keras.members import layers_of, members_of
from genewright.backends.keras.widths.reading import Reading, read, used_leaves
from genewright.errors import UnsupportedError
from genewright.widths.axes import Leaf, leaves, resized, size_of
from genewright.widths.knob import Attribute, Knob, Knobs, Place
from genewright.widths.widths import Widths


class KerasWidths(Widths):
    """The knobs of a Functional or Sequential model.

    Attributes:
        model: The model.
        reading: What its graph says.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.reading: Reading = read(model)
        self._layers = layers_of(model)
        self.layers = self._layers.keys()
        self.reached = self.reading.touched.keys()
        self._knobs: Knobs | None = None

    def knobs(self) -> Knobs:
        """Return every width that a variable writes or reads."""
        if self._knobs is None:
            self._knobs = Knobs(tuple(_numbered(self._found())))
        return self._knobs

    def verified(self) -> Knobs:
        return self.knobs()

    def settle(self, knob: Knob, size: int) -> tuple[Attribute, ...]:
        if knob.pins:
            raise UnsupportedError(f"{knob.name!r} cannot change: {knob.pins[0]}.")
        found: dict[tuple[str, str], Attribute] = {}
        for binding in self.reading.bindings:
            if knob.leaf not in used_leaves([binding.axis]):
                continue
            old, new = size_of(binding.axis), resized(binding.axis, {knob.leaf: size})
            known = found.setdefault((binding.layer, binding.key), Attribute(binding.layer, binding.key, old, new))
            if known.new != new:
                raise UnsupportedError(
                    f"{knob.name!r} cannot have {size} units: {binding.layer}.{binding.key} would be {known.new} at "
                    f"one place and {new} at another."
                )
        return tuple(found.values())

    def epsilon(self, layer: str) -> tuple[str, float] | None:
        value = getattr(self._layers[layer], "epsilon", None)
        return ("epsilon", float(value)) if isinstance(value, int | float) else None

    def centres(self, layer: str) -> bool:
        return any(norm.layer == layer and norm.centred for norm in self.reading.norms)

    def _found(self) -> list[Knob]:
        reading = self.reading
        members = members_of(self.model)
        roles: dict[tuple[str, int, int], set[str]] = {}
        for mark in reading.marks:
            for leaf in leaves(mark.part):
                roles.setdefault((mark.tensor, mark.axis, id(leaf)), set()).add(mark.role)
        places: dict[Leaf, list[Place]] = {}
        # In the order in which layers run: which width comes first is not a matter of how a class lists its layers.
        ran = {layer: at for at, layer in enumerate(self.reached)}
        order = {name: (ran.get(self._called(members[name].layer), len(ran)), name) for name in reading.parameters}
        for name, axes in sorted(reading.parameters.items(), key=lambda entry: order[entry[0]]):
            for position, axis in enumerate(axes):
                for leaf in used_leaves([axis]):
                    held = frozenset(roles.get((name, position, id(leaf)), {"carrier"}))
                    place = Place(name, position, axis, held, members[name].layer)
                    places.setdefault(leaf, []).append(place)
        return [self._knob(leaf, held) for leaf, held in places.items() if _is_width(held)]

    def _knob(self, leaf: Leaf, places: list[Place]) -> Knob:
        norms = [(n.layer, n.kind) for n in self.reading.norms if leaf in used_leaves([n.axis])]
        bound = [f"{b.layer}.{b.key}" for b in self.reading.bindings if leaf in used_leaves([b.axis])]
        writers = tuple(dict.fromkeys(self._called(p.layer) for p in places if "writer" in p.roles))
        groups = tuple(dict.fromkeys(self._called(p.layer) for p in places if "group" in p.roles))
        return Knob(
            name=writers[0] if writers else f"input of {self._called(places[0].layer)}",
            leaf=leaf,
            places=tuple(places),
            pins=tuple(leaf.pins),
            mixes=tuple(leaf.mixes),
            norms=tuple(dict.fromkeys(norms)),
            attributes=tuple(dict.fromkeys(bound)),
            layers=tuple(dict.fromkeys(writers + groups)),
        )

    def _called(self, layer: str) -> str:
        """Return the layer of the graph that a variable belongs to: the recurrent layer, not its cell."""
        while layer not in self.reached and "." in layer:
            layer = layer.rpartition(".")[0]
        return layer


def _is_width(places: list[Place]) -> bool:
    return any(place.roles & {"writer", "reader", "group"} for place in places)


def _numbered(knobs: list[Knob]) -> list[Knob]:
    """Number the knobs of a layer that writes several."""
    names = [knob.name for knob in knobs]
    seen: dict[str, int] = {}
    out: list[Knob] = []
    for knob in knobs:
        if names.count(knob.name) == 1:
            out.append(knob)
            continue
        number = seen[knob.name] = seen.get(knob.name, -1) + 1
        out.append(replace(knob, name=f"{knob.name}[{number}]"))
    return out
