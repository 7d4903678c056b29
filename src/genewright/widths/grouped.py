"""Channels that a norm divides into groups: a layer writes channels there, and they come and go by whole groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genewright.errors import SettingError
from genewright.names import is_pattern
from genewright.widths.axes import Product, resolve
from genewright.widths.knob import Knob
from genewright.widths.widths import Widths


@dataclass(frozen=True, eq=False)
class Grouped:
    """The channels of a layer before a group norm.

    Attributes:
        layer: The layer.
        groups: The knob of the groups.
        inside: The knob of the channels in each.
    """

    layer: str
    groups: Knob
    inside: Knob

    def settings(
        self, who: str, num_units: int | None, units: Sequence[int] | Sequence[bool] | None = None
    ) -> dict[str, Any]:
        """Return the settings of an operator on the groups, of what it says of channels.

        Raises:
            SettingError: What it says are no whole groups.
        """
        said: dict[str, Any] = {"layer": self.groups.name}
        if units is not None:
            said["units"] = self.whole_units(who, units)
        elif num_units is not None:
            said["num_units"] = self.whole(who, num_units)
        return said

    def whole(self, who: str, channels: int) -> int:
        """Return how many groups so many channels are.

        Raises:
            SettingError: They are not whole groups; the numbers that are, and the other call, are named.
        """
        size = self.inside.size
        if channels % size:
            near = sorted({max(size, channels // size * size), -(-channels // size) * size})
            raise SettingError(
                f"{who}: {self.words()} {channels} channels are no whole groups. Write num_units="
                f"{' or '.join(map(str, near))}; or change what is in every group: layer={self.inside.name!r}."
            )
        return channels // size

    def whole_units(self, who: str, units: Sequence[int] | Sequence[bool]) -> tuple[int, ...]:
        """Return which groups some channels, by number or as a mask, are.

        Raises:
            SettingError: They are not whole groups.
        """
        total = self.groups.size * self.inside.size
        masked = bool(units) and all(isinstance(unit, bool) for unit in units)
        if masked and len(units) != total:
            raise SettingError(f"{who}: the mask has {len(units)} entries. {self.words()}")
        numbers = [int(at) for at in (np.flatnonzero(units) if masked else units)]
        outside = [unit for unit in numbers if not 0 <= unit < total]
        if outside:
            raise SettingError(f"{who}: {self.layer!r} has units 0 to {total - 1}; received {outside[0]}.")
        counts = np.bincount(np.asarray(numbers, np.int64) // self.inside.size, minlength=self.groups.size)
        torn = np.flatnonzero((counts > 0) & (counts < self.inside.size)).tolist()
        if torn:
            first = torn[0] * self.inside.size
            raise SettingError(
                f"{who}: {self.words()} Name all of a group or none: units {first} to "
                f"{first + self.inside.size - 1} are group {torn[0]}."
            )
        return tuple(np.flatnonzero(counts).tolist())

    def words(self) -> str:
        norm = self.inside.norms[0][0]
        return (
            f"{self.layer!r} writes {self.groups.size * self.inside.size} channels, which {norm!r} normalises in "
            f"{self.groups.size} groups of {self.inside.size}."
        )


def grouped(widths: Widths, layer: str | None) -> Grouped | None:
    """Return the channels that a layer writes into a group norm; None where it writes something else.

    Args:
        widths: The network's.
        layer: A layer's name; that of a knob, or a pattern, means what it says.
    """
    if layer is None or is_pattern(layer):
        return None
    written = widths.knobs().called(layer)
    if len(written) != 2 or any(knob.name == layer for knob in written):
        return None
    groups, inside = sorted(written, key=lambda knob: bool(knob.norms))
    if groups.norms or not inside.norms or any(kind != "group" for _, kind in inside.norms):
        return None
    layouts = [resolve(place.layout) for place in groups.places if place.layer == layer and "writer" in place.roles]
    laid = layouts and all(isinstance(one, Product) and one.factors == (groups.leaf, inside.leaf) for one in layouts)
    return Grouped(layer, groups, inside) if laid else None
