"""The widths of a torch module: knobs read off a recorded forward pass, and what they need to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from torch import nn

from genewright.backends.torch.predict import placed
from genewright.backends.torch.structure import rules as rules
from genewright.backends.torch.structure.counts_beside import counts_beside
from genewright.backends.torch.structure.nonlinearities import nonlinearities_before_norms
from genewright.backends.torch.structure.one_unit_more import refusals
from genewright.backends.torch.structure.owner_numbers import owner_numbers
from genewright.backends.torch.structure.position_counts import position_counts
from genewright.backends.torch.structure.position_tables import position_tables
from genewright.backends.torch.structure.propagation import Propagation
from genewright.backends.torch.structure.reparametrized import reparametrized
from genewright.backends.torch.structure.score_scale import score_scale
from genewright.backends.torch.structure.size_attributes import bound_attributes
from genewright.backends.torch.structure.trace_cache import cached_trace
from genewright.backends.torch.structure.trial import Trials
from genewright.backends.torch.tensors import Member, members_of
from genewright.errors import UnsupportedError
from genewright.index import Index
from genewright.widths.axes import Axis, Leaf, leaves, note
from genewright.widths.counts import Counts, End
from genewright.widths.knob import Attribute, Knob, Place
from genewright.widths.knobs import Knobs
from genewright.widths.positions import PositionCounts, PositionTable, PositionTables
from genewright.widths.reasons import Cause, Reason
from genewright.widths.widths import Widths

_NO_STATE = Reason(Cause.NOT_IN_STATE)


class TorchWidths(Widths):
    """The knobs of a module, seen while it ran once on an example.

    Attributes:
        model: The module.
        example: What it was run on.
        recording: The forward pass.
        reading: What it says.
    """

    def __init__(self, model: nn.Module, example: Any, others: Sequence[Any] = ()) -> None:
        self.model = model
        place = next(iter(model.parameters()), None)
        self.example = placed(example, place)
        self._members = members_of(model)
        names = {id(tensor): name for name, member in self._members.items() for tensor in member.same}
        for name, buffer in model.named_buffers():
            names.setdefault(id(buffer), name)
        self.recording, self.reading, self._knobs = cached_trace(
            model,
            (self.example, *(placed(other, place) for other in others)),
            names,
            lambda reading: Knobs(tuple(_named(_knobs(reading, self._members)))),
        )
        self._trials = Trials(model, self.example, self.recording, self.reading, self._members)
        self.layers = self.recording.layers.keys()
        self.reached = self.reading.touched.keys()
        self._nonlinear: dict[str, Reason] | None = None
        self._scales: dict[tuple[object, ...], float] = {}
        self._left: dict[Leaf, tuple[str, ...]] = {}

    @property
    def inputs(self) -> Sequence[Sequence[Axis]]:
        return self.reading.inputs

    @property
    def outputs(self) -> Sequence[Sequence[Axis]]:
        return self.reading.outputs

    def counts_beside(self, layers: Sequence[str], index: Index, size: int, *, end: End) -> Counts:
        return counts_beside(self.model, layers, index, size, end)

    def find(self, layer: str) -> Knob:
        made = reparametrized(self.recording.layers, layer)
        if made:
            raise UnsupportedError(f"{made[0].upper()}{made[1:]}. Nothing has been changed.")
        return super().find(layer)

    def tables(self) -> Sequence[Knob]:
        return _knobs(self.reading, self._members, frozenset({"table"}))

    def positions(self) -> PositionTables:
        return self._positions

    @cached_property
    def _positions(self) -> PositionTables:
        return position_tables(self.model, self.example, self.recording, self.reading, self._members)

    def position_counts(self, changes: Sequence[tuple[PositionTable, tuple[int, ...]]]) -> PositionCounts:
        return position_counts(self.model, changes)

    def knobs(self) -> Knobs:
        """Return every width that a parameter writes or reads."""
        return self._knobs

    def resolve_attributes(self, knob: Knob, size: int) -> tuple[Attribute, ...]:
        return self.resolve_attributes_jointly((knob,), size)

    def resolve_attributes_jointly(self, knobs: Sequence[Knob], size: int) -> tuple[Attribute, ...]:
        found = self._trials.resolve_attributes(knobs[0], size, knobs[1:])
        if any(knob.size != knobs[0].size for knob in knobs):
            return found
        beside = owner_numbers(self.reading, knobs, tuple(self._knobs), size, found)
        self._left |= dict.fromkeys((knob.leaf for knob in knobs), beside.stay)
        return (*found, *beside.follow)  # the run does not read these, so there is nothing to try

    def unreached(self, knob: Knob) -> tuple[str, ...]:
        asleep = [one for one in self._members.values() if one.is_parameter and one.layer not in self.reached]
        return tuple(one.names[0] for one in asleep if one.tensor.dim() > 1 and knob.size in one.tensor.shape)

    def numbers_left(self, knob: Knob) -> tuple[str, ...]:
        return self._left.get(knob.leaf, ())

    def score_scale(
        self, knobs: Sequence[Knob], size: int, attributes: Sequence[Attribute], queries: Mapping[str, Sequence[int]]
    ) -> float:
        key = (*(knob.name for knob in knobs), size)
        if key not in self._scales:
            self._scales[key] = score_scale(self.model, self.example, knobs, size, attributes, queries)
        return self._scales[key]

    def verified_knobs(self) -> Knobs:
        knobs = self.knobs()
        refused = refusals(self._trials, [knob for knob in knobs if knob.free])
        pins = {name: (Reason(Cause.TRIED, why),) for name, why in refused.items()}
        return Knobs(tuple(replace(knob, pins=pins.get(knob.name, knob.pins)) for knob in knobs))

    def feature_axis(self, layer: str) -> int | None:
        """Return the only axis of what a layer returned that weights wrote: its features; None if that is not told."""
        axes = self.reading.returned.get(layer, ())
        found = [place for place, axis in enumerate(axes) if any(leaf in self._written for leaf in leaves(axis))]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _written(self) -> frozenset[Leaf]:
        return frozenset(knob.leaf for knob in self._knobs if any("writer" in place.roles for place in knob.places))

    def subtracts_mean(self, layer: str) -> bool:
        return any(norm.layer == layer and norm.centred for norm in self.reading.norms)

    def nonlinearity_before(self, layer: str) -> Reason | None:
        if self._nonlinear is None:
            self._nonlinear = nonlinearities_before_norms(self.recording)
        return self._nonlinear.get(layer)


_WIDTHS = frozenset({"writer", "reader", "group"})


def _knobs(reading: Propagation, members: dict[str, Member], wanted: frozenset[str] = _WIDTHS) -> list[Knob]:
    roles: dict[tuple[str, int, int], set[str]] = {}
    for mark in reading.marks:
        for leaf in leaves(mark.axis):
            roles.setdefault((*mark.tag, id(leaf)), set()).add(mark.role)
    places: dict[int, list[Place]] = {}
    found: dict[int, Leaf] = {}
    for name, value in reading.parameters.items():
        member = members.get(name)
        for axis, dim in enumerate(value.dims):
            for leaf in dict.fromkeys(leaves(dim.axis)):
                found[id(leaf)] = leaf
                if member is None:
                    note(leaf.pins, _NO_STATE)
                    continue
                made = reparametrized(reading.layers, member.layer)
                if made:
                    note(leaf.pins, Reason(Cause.REPARAMETRIZED, made))
                held = frozenset(roles.get((name, axis, id(leaf)), {"carrier"}))
                places.setdefault(id(leaf), []).append(Place(name, axis, dim.axis, held, member.layer))
    norms: dict[int, list[tuple[str, str]]] = {}
    for norm in reading.norms:
        for leaf in dict.fromkeys(leaves(norm.axis)):
            entry = (norm.layer, norm.kind)
            if entry not in norms.setdefault(id(leaf), []):
                norms[id(leaf)].append(entry)
    out: list[Knob] = []
    for key, held in places.items():
        if not any(place.roles & wanted for place in held):
            continue
        leaf = found[key]
        writers = _layers(held, "writer", members)
        groups = _layers(held, "group", members)
        out.append(
            Knob(
                name=writers[0] if writers else f"input of {held[0].layer}",
                leaf=leaf,
                places=tuple(held),
                pins=tuple(leaf.pins),
                mixes=tuple(leaf.mixes),
                norms=tuple(norms.get(key, ())),
                attributes=tuple(bound_attributes(reading, leaf)),
                layers=tuple(dict.fromkeys(writers + groups)),
            )
        )
    return out


def _layers(places: list[Place], role: str, members: dict[str, Member]) -> tuple[str, ...]:
    """Return the layers that hold the tensors of places in a role, under all of their names."""
    names = (name for place in places if role in place.roles for name in members[place.tensor].names)
    return tuple(dict.fromkeys(name.rpartition(".")[0] for name in names))


def _named(knobs: list[Knob]) -> list[Knob]:
    """Number the knobs of a layer that writes several."""
    count: dict[str, int] = {}
    for knob in knobs:
        count[knob.name] = count.get(knob.name, 0) + 1
    seen: dict[str, int] = {}
    out: list[Knob] = []
    for knob in knobs:
        if count[knob.name] == 1:
            out.append(knob)
            continue
        number = seen[knob.name] = seen.get(knob.name, -1) + 1
        out.append(replace(knob, name=f"{knob.name}[{number}]"))
    return out
