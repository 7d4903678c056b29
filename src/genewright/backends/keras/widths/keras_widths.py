"""The widths of a Keras model: knobs read off its graph, and what they need to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import layers_of, members_of
from genewright.backends.keras.widths.position_tables import lengths_of, position_tables
from genewright.backends.keras.widths.propagation import Propagation, read, used_leaves
from genewright.backends.keras.widths.trial import Trials
from genewright.errors import UnsupportedError
from genewright.widths.axes import Axis, Leaf, leaves, product
from genewright.widths.counts import Count
from genewright.widths.knob import Attribute, Knob, Place
from genewright.widths.knobs import Knobs
from genewright.widths.positions import PositionCounts, PositionTable, PositionTables
from genewright.widths.reasons import Cause, Reason
from genewright.widths.widths import Widths

_WIDTHS = frozenset({"writer", "reader", "group"})


class KerasWidths(Widths):
    """The knobs of a Functional or Sequential model.

    Attributes:
        model: The model.
        reading: What its graph says.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.reading: Propagation = read(model)
        self._layers = layers_of(model)
        self._trials = Trials(model, self.reading)
        self.layers = self._layers.keys()
        self.reached = self.reading.touched.keys()
        self._knobs: Knobs | None = None

    @property
    def inputs(self) -> Sequence[Sequence[Axis]]:
        return self.reading.inputs

    @property
    def outputs(self) -> Sequence[Sequence[Axis]]:
        return self.reading.outputs

    def tables(self) -> Sequence[Knob]:
        return self._found(frozenset({"table"}))

    def positions(self) -> PositionTables:
        return position_tables(self.model)

    def position_counts(self, changes: Sequence[tuple[PositionTable, tuple[int, ...]]]) -> PositionCounts:
        follow: list[Count] = []
        for table, shape in changes:
            layer = self._layers[table.layer]
            keys = (
                ["input_dim"]
                if isinstance(layer, keras.layers.Embedding)
                else [key for key, n in lengths_of(layer) if n == table.shape[0]]
            )
            follow += [Count(table.layer, key, shape[0]) for key in keys]
        return PositionCounts(tuple(follow))

    def knobs(self) -> Knobs:
        """Return every width that a variable writes or reads."""
        if self._knobs is None:
            self._knobs = Knobs(tuple(_numbered(self._found())))
        return self._knobs

    def verified_knobs(self) -> Knobs:
        knobs = self.knobs()
        refused = self._trials.refusals([knob for knob in knobs if knob.free])
        pins = {name: (Reason(Cause.TRIED, why),) for name, why in refused.items()}
        return Knobs(tuple(replace(knob, pins=pins.get(knob.name, knob.pins)) for knob in knobs))

    def resolve_attributes(self, knob: Knob, size: int) -> tuple[Attribute, ...]:
        if knob.pins:
            raise UnsupportedError(f"{knob.name!r} cannot change: {knob.pins[0]}.")
        return self._trials.resolve_attributes(knob, size)

    def resolve_attributes_jointly(self, knobs: Sequence[Knob], size: int) -> tuple[Attribute, ...]:
        for knob in knobs:
            if knob.pins:
                raise UnsupportedError(f"{knob.name!r} cannot change: {knob.pins[0]}.")
        return self._trials.resolve_attributes(knobs[0], size, knobs[1:])

    def subtracts_mean(self, layer: str) -> bool:
        return any(norm.layer == layer and norm.centred for norm in self.reading.norms)

    def nonlinearity_before(self, layer: str) -> Reason | None:
        return self.reading.nonlinearities.get(layer)

    def obstacle(self, layer: str) -> Reason | None:
        held = [axes for name, axes in self.reading.parameters.items() if name.startswith(f"{layer}.")]
        inside = used_leaves([axis for axes in held for axis in axes])
        return inside[0].pins[0] if inside and all(leaf.pins for leaf in inside) else None

    def _found(self, wanted: frozenset[str] = _WIDTHS) -> list[Knob]:
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
            written = [
                p for p, a in enumerate(axes) if any("writer" in roles.get((name, p, id(x)), ()) for x in leaves(a))
            ]
            units: Axis | None = product([axes[p] for p in written]) if len(written) > 1 else None
            for position, axis in enumerate(axes):
                for leaf in used_leaves([axis]):
                    held = frozenset(roles.get((name, position, id(leaf)), {"carrier"}))
                    beside = units if position in written else None
                    place = Place(name, position, axis, held, members[name].layer, beside)
                    places.setdefault(leaf, []).append(place)
        return [self._knob(leaf, held) for leaf, held in places.items() if any(place.roles & wanted for place in held)]

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


def _numbered(knobs: list[Knob]) -> list[Knob]:
    """Number the knobs of a layer that writes several; the only one that can change keeps the layer's name."""
    names = Counter(knob.name for knob in knobs)
    free = Counter(knob.name for knob in knobs if knob.free)
    seen: dict[str, int] = {}
    out: list[Knob] = []
    for knob in knobs:
        if names[knob.name] == 1 or (knob.free and free[knob.name] == 1):
            out.append(knob)
            continue
        number = seen[knob.name] = seen.get(knob.name, -1) + 1
        out.append(replace(knob, name=f"{knob.name}[{number}]"))
    return out
