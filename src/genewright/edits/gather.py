"""Gather: a width gets other units, everywhere where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from genewright.edits.edit import Edit, Line, View
from genewright.edits.json_form import CODECS, Codec
from genewright.edits.layout import UNIT, Layout, gathered, layout_from_json, layout_to_json, length, units
from genewright.edits.set_attribute import SetAttribute
from genewright.edits.site import Site
from genewright.errors import EditError, RecipeError
from genewright.index import Index
from genewright.plain import plain
from genewright.tensor import Tensor

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """An axis of a tensor in which a width stands.

    Attributes:
        tensor: The tensor's name.
        axis: The axis.
        layout: How the units lie along it.
        blank: New units are zero here, whatever they copy elsewhere: they are drawn, or let nothing through.
    """

    tensor: str
    axis: int = 0
    layout: Layout = UNIT
    blank: bool = False


@dataclass(frozen=True)
class Following:
    """An attribute of a layer that holds a length, or follows from one.

    Attributes:
        layer: The layer's name.
        attribute: A dotted path from it.
        value: Its new value.
    """

    layer: str
    attribute: str
    value: Any


_NONE = Index()

Places = tuple[Place, ...]
Attributes = tuple[Following, ...]


@dataclass(frozen=True, kw_only=True)
class Gather(Edit):
    """Let new unit i be the old unit index[i], in every tensor where the width stands; attributes follow.

    Bits are moved as they are. A unit whose entry is -1 comes from none: it is zero until something draws it.

    Attributes:
        width: What the width is called, for the plan.
        size: How many units there are.
        index: For each new unit the old one that it is, or copies; or -1.
        new: Which of the new units are new: they are zero in places that are `blank`.
        places: Where the width stands.
        attributes: What follows.
        inputs: Where it stands in what the model takes: places whose tensors are numbers of the example's tensors.
        outputs: Where it stands in what the model returns, likewise.
        softmax: The model's outputs are made by a softmax over the width: their ratios stay where it changes.
    """

    shapes: ClassVar[bool] = True

    width: str
    size: int
    index: Index
    new: Index = _NONE
    places: Places = ()
    attributes: Attributes = ()
    inputs: Places = ()
    outputs: Places = ()
    softmax: bool = False

    def tensors(self) -> Sequence[str]:
        return tuple(dict.fromkeys(place.tensor for place in self.places))

    def changes_structure(self) -> bool:
        return bool(self.attributes) or self.index.size != self.size

    def can_fail_late(self) -> bool:
        return self.changes_structure()

    def nbytes(self, view: View) -> int:
        tensors = [(view.tensor(place.tensor), place) for place in self.places]
        return sum(
            tensor.nbytes // max(1, length(place.layout, self.size)) * length(place.layout, self.index.size)
            for tensor, place in tensors
        )

    def check(self, views: Sequence[View]) -> None:
        new = self.new.size <= self.index.size and self.new.within(0, max(self.index.size, 1))
        if self.size < 0 or not self.index.within(-1, self.size) or not new:
            raise EditError(
                f"Gather of {self.width!r} in {self._where()}: it has {self.size} units, and its index is "
                f"{self.index} (-1 is a new entry)."
            )
        if not self.index.size and self.size:
            raise EditError(f"Gather of {self.width!r} in {self._where()}: none of its {self.size} units would stay.")
        for place in self.places:
            tensor = views[0].tensor(place.tensor)
            fault = self._fault(place, tensor)
            if fault:
                raise EditError(f"Gather of {self.width!r} in {tensor.name!r} of shape {tensor.shape}: {fault}.")

    def lines(self, view: View) -> Iterator[Line]:
        for following in self.attributes:
            yield from _setting(following).lines(view)
        for place in self.places:
            tensor = view.tensor(place.tensor)
            old, new = length(place.layout, self.size), length(place.layout, self.index.size)
            what = f"axis {place.axis} gathered" + (f", {old} -> {new}" if old != new else "")
            moved = self.moved(place)
            changed = int((moved != np.arange(len(moved))).sum())
            yield Line(tensor.name, tensor.shape, tensor.dtype, what, tensor.size * changed / max(1, len(moved)))

    def apply(self, site: Site) -> None:
        for following in self.attributes:
            _setting(following).apply(site)
        for place in self.places:
            site.gather(place.tensor, place.axis, self.moved(place))

    def moved(self, place: Place) -> Positions:
        """Return where each new position of a place comes from; -1 where it starts at zero."""
        index = self.index.array
        if place.blank and self.new.size:
            index = index.copy()
            index[self.new.array] = -1
        return gathered(place.layout, index, self.size)

    def positions(self, place: Place, chosen: Index | None = None) -> Positions:
        """Return the new positions of a place that belong to new units, or to `chosen` ones."""
        wanted = np.zeros(self.index.size + 1, np.bool_)  # the last entry: positions of no unit
        wanted[(self.new if chosen is None else chosen).array] = True
        return np.flatnonzero(wanted[units(place.layout, self.index.size)])

    def _where(self) -> str:
        return ", ".join(map(repr, self.tensors()))

    def _fault(self, place: Place, tensor: Tensor) -> str:
        size = tensor.shape[place.axis] if 0 <= place.axis < len(tensor.shape) else -1
        if size < 0:
            return f"there is no axis {place.axis}"
        has = length(place.layout, self.size)
        return "" if has == size else f"axis {place.axis} has {size} positions, and {has} would be gathered"


def _setting(following: Following) -> SetAttribute:
    return SetAttribute(layer=following.layer, attribute=following.attribute, value=following.value)


def _place_to_json(place: Place) -> list[Any]:
    entry = [place.tensor, place.axis, layout_to_json(place.layout), place.blank]
    plainest: list[Any] = [None, 0, UNIT, False]
    while len(entry) > 1 and entry[-1] == plainest[len(entry) - 1]:
        entry.pop()
    return entry


def _places_to_json(places: Places) -> list[Any]:
    return [_place_to_json(place) for place in places]


def _attributes_to_json(attributes: Attributes) -> list[Any]:
    return [[each.layer, each.attribute, plain(each.value)] for each in attributes]


def _entries(form: Any, what: str) -> list[list[Any]]:
    entries: list[Any] = cast("list[Any]", form) if isinstance(form, list) else [None]
    if not all(isinstance(entry, list) and cast("list[Any]", entry) for entry in entries):
        raise RecipeError(f"The recipe is damaged: {what} are lists in a list.")
    return entries


def _place(entry: list[Any]) -> Place:
    plainest: list[Any] = [None, 0, UNIT, False]
    tensor, axis, layout, blank = [*entry, *plainest[len(entry) :]][:4]
    whole = isinstance(tensor, str) and isinstance(axis, int) and isinstance(blank, bool) and not isinstance(axis, bool)
    if not whole or len(entry) > 4:
        raise RecipeError("The recipe is damaged: a place is [tensor, axis, layout, blank].")
    return Place(tensor, axis, layout_from_json(layout), blank)


def _places(form: Any) -> Places:
    return tuple(_place(entry) for entry in _entries(form, "places"))


def _attributes(form: Any) -> Attributes:
    return tuple(_following(entry) for entry in _entries(form, "attributes"))


def _following(entry: list[Any]) -> Following:
    if len(entry) != 3 or not isinstance(entry[0], str) or not isinstance(entry[1], str):
        raise RecipeError("The recipe is damaged: an attribute is [layer, path, value].")
    return Following(entry[0], entry[1], plain(entry[2]))


CODECS["Places"] = Codec(_places_to_json, _places)
CODECS["Attributes"] = Codec(_attributes_to_json, _attributes)
