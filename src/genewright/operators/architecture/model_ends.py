"""Widths at the ends of a model: lengths of its input, of its output, and of its vocabulary.

The analysis pins them, for an operator cannot know that the user wants other inputs or outputs. An operator that is
told so by name takes them as free, where nothing else pins them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genewright.edits import Following, Gather, Place
from genewright.errors import UnknownNameError, UnsupportedError
from genewright.index import Index
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.operators.architecture.gather_units import Blank, gather
from genewright.widths.axes import Axis, Leaf, leaves
from genewright.widths.counts import Counts, End
from genewright.widths.knob import Attribute, Knob
from genewright.widths.layouts import layout_of
from genewright.widths.reasons import Cause, Reason
from genewright.widths.widths import Widths

_SIDE = {"input": (Cause.INPUT, "reader", "reads"), "output": (Cause.OUTPUT, "writer", "writes")}


@dataclass(frozen=True)
class ModelEnd:
    """A width at an end of the model, free to change.

    Attributes:
        knob: The width.
        end: Which end it is.
        widths: The analysis.
    """

    knob: Knob
    end: End
    widths: Widths

    def resized(
        self, index: Index, *, new: Index | None = None, blank: Blank = lambda place: False, silent: bool = False
    ) -> Gather:
        """Return the edit that gathers its units, in tensors, in what the model takes and in what it returns.

        Args:
            index: Old units, one for each new unit; -1 for one that comes from none.
            new: The units that are new.
            blank: In which places these start at zero.
            silent: New inputs of the example are zero; else they repeat the old ones.

        Raises:
            UnsupportedError: The model does not run so; the reason is named.
        """
        attributes = self.widths.resolve_attributes(self.knob, index.size)
        moved = gather(self.knob, index, new=new, blank=blank, attributes=attributes)
        return replace(
            moved,
            attributes=(*moved.attributes, *self._counts(index, new, attributes)),
            inputs=places_of(self.knob.leaf, self.widths.inputs, blank=silent),
            outputs=places_of(self.knob.leaf, self.widths.outputs, blank=True),
            softmax=any(reason.cause is Cause.SOFTMAX for reason in self.knob.mixes),
        )

    def counts(self, index: Index, new: Index | None = None) -> Counts:
        """Return the numbers beside the run that follow, or may have to."""
        named = index.array.copy()
        if new is not None:
            named[new.array] = -1
        layers = tuple(dict.fromkeys((*self.knob.layers, *(place.layer for place in self.knob.places))))
        return self.widths.counts_beside(layers, Index.of(named), self.knob.size, end=self.end)

    def _counts(self, index: Index, new: Index | None, known: Sequence[Attribute]) -> Iterator[Following]:
        taken = {(one.layer, one.path) for one in known}
        for count in self.counts(index, new).follow:
            if (count.layer, count.path) not in taken:
                yield Following(count.layer, count.path, count.new)

    def note(self, index: Index) -> str:
        """Return which attributes have the old number, and nothing says whether they mean it; "" for none."""
        changed = {
            f"{one.layer}.{one.path}".lstrip(".") for one in self.widths.resolve_attributes(self.knob, index.size)
        }
        stay = [name for name in self.counts(index).stay if name not in changed]
        if not stay:
            return ""
        names = ", ".join(map(repr, stay[:6])) + (", ..." if len(stay) > 6 else "")
        return f"{names}: still {self.knob.size}; set what means the number of {self.end}s yourself."


def places_of(leaf: Leaf, tensors: Sequence[Sequence[Axis]], *, blank: bool) -> tuple[Place, ...]:
    """Return where a width stands in the tensors that a model takes or returns."""
    return tuple(
        Place(str(number), position, layout_of(axis, leaf), blank)
        for number, axes in enumerate(tensors)
        for position, axis in enumerate(axes)
        if any(leaf is inner for inner in leaves(axis))
    )


def find_end(network: Network, layer: str | None, end: End) -> ModelEnd:
    """Return the width at an end of the model that `layer` writes or reads.

    Args:
        network: The network.
        layer: The layer, one that holds it, or the knob's name; None for the only one that there is.
        end: "input" or "output".

    Raises:
        UnknownNameError: There is no such layer, there are several such widths, or None was said and there is not one.
        UnsupportedError: Something else pins the width; the reason is named.
    """
    widths: Widths = network.structure.widths
    cause, role, verb = _SIDE[end]
    every = [knob for knob in widths.knobs() if any(reason.cause is cause for reason in knob.pins)]
    every = [knob for knob in every if any(role in place.roles for place in knob.places)]
    named = every if layer is None else [knob for knob in every if _is_of(knob, layer, role)]
    names = list(dict.fromkeys(name for knob in every for name in _names(knob, role)))
    free = [knob for knob in named if not _pinned_otherwise(knob, cause)]
    found = free or named
    if not found:
        raise UnsupportedError(_nothing(network, layer, end, names, verb))
    if len(found) > 1:
        listed = ", ".join(f"{knob.name!r} ({knob.size})" for knob in found[:8])
        raise UnknownNameError(f"There are {len(found)} such lengths of the model's {end}. Name one: {listed}.")
    if not free:
        why = _pinned_otherwise(found[0], cause)[0]
        hint = " gw.ResizeVocabulary changes a table with what is tied to it." if why.cause is Cause.LOOKED_UP else ""
        raise UnsupportedError(f"{found[0].name!r} is a length of the model's {end}, but cannot change: {why}.{hint}")
    return ModelEnd(replace(found[0], pins=()), end, widths)


def _nothing(network: Network, layer: str | None, end: End, names: Sequence[str], verb: str) -> str:
    if layer is None:
        return f"No layer {verb} a length of the model's {end} by weights of its own, so none can change."
    _ = network.layer(layer)  # an unknown name has an error of its own
    hint = did_you_mean(layer, names) if names else ""
    return (
        f"{layer!r} {verb} no length of the model's {end}. gw.Widen and gw.Narrow change widths inside it. {hint}"
    ).rstrip()


def _pinned_otherwise(knob: Knob, cause: Cause) -> list[Reason]:
    return [reason for reason in knob.pins if reason.cause is not cause]


def _names(knob: Knob, role: str) -> Iterator[str]:
    yield from (place.layer for place in knob.places if role in place.roles)


def _is_of(knob: Knob, layer: str, role: str) -> bool:
    held = [*_names(knob, role), *(knob.layers if role == "writer" else ())]
    return knob.name == layer or any(name == layer or name.startswith(f"{layer}.") for name in held)


def appended(size: int, added: int, donors: Sequence[int] | None, *, first: bool = False) -> tuple[Index, Index]:
    """Return (index, new) of `added` units beside `size` old ones.

    Args:
        size: The number of old units.
        added: How many new ones.
        donors: The old unit that each new one copies; None for the old ones in turn.
        first: The new ones stand before the old ones.
    """
    old = np.arange(size)
    copies = np.arange(added) % size if donors is None else np.asarray(donors, np.int64)
    new = np.arange(added) if first else np.arange(size, size + added)
    return Index.of(np.concatenate([copies, old] if first else [old, copies])), Index.of(new)
