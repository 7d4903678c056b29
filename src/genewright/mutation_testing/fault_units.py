"""The units of a layer as groups of faults: which unit an element belongs to, and how many faults each can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SelectionError
from genewright.network import Network
from genewright.operators.weights.places import Stretch
from genewright.units import units_of


@dataclass(frozen=True, kw_only=True)
class FaultUnits:
    """Where the units of its layer stand in a tensor whose elements can be hit.

    Attributes:
        layer: The layer whose units they are.
        inner: How many elements follow each other at one position of the units' axis.
        length: Positions of that axis.
        width: Positions that a unit takes each time.
        sizes: For each unit, how many of its elements here can be hit.

    Example:
        >>> rows = FaultUnits(layer="fc", inner=3, length=2, width=1, sizes=(3, 3))
        >>> rows.of(np.array([0, 2, 5])).tolist()
        [0, 0, 1]
    """

    layer: str
    inner: int
    length: int
    width: int
    sizes: tuple[int, ...]

    @classmethod
    def in_stretch(cls, stretch: Stretch, network: Network) -> FaultUnits | None:
        """Return the units of a tensor; None where they have no place of their own in it."""
        try:
            units = units_of(stretch.tensor, network)
        except SelectionError:  # heads, and nobody says how many
            return None
        if units is None:
            return None
        shape, axis = stretch.shape, units.axis
        chosen = stretch.part[axis] if axis < len(stretch.part) else None
        positions = np.arange(shape[axis]) if chosen is None else chosen.array
        each = stretch.size // stretch.ways // max(1, len(positions))  # a part is a grid
        counted = np.bincount(positions // units.width % units.count, minlength=units.count) * each
        return cls(
            layer=units.layers[0],
            inner=prod(shape[axis + 1 :]),
            length=shape[axis],
            width=units.width,
            sizes=tuple(counted.tolist()),
        )

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> FaultUnits:
        """Read what `dataclasses.asdict` made."""
        numbers = {name: int(form[name]) for name in ("inner", "length", "width")}
        return cls(layer=str(form["layer"]), **numbers, sizes=tuple(int(size) for size in form["sizes"]))

    def of(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the unit of each element, by its place in row-major order."""
        return elements // self.inner % self.length // self.width % len(self.sizes)


def grouped_by_unit(
    tensors: Sequence[tuple[str, FaultUnits | None, int, int]], tensor: NDArray[np.int64], element: NDArray[np.int64]
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Return the group of each fault, and the population of each group.

    Args:
        tensors: Of each its name, its units, how many elements can be hit, and in how many ways each.
        tensor: The tensor of each fault, by its number.
        element: The element of each fault.

    Returns:
        Numbers of groups, and each group's population by its name: ``layer[unit]``, or the tensor's name where units
        have no place in it. A unit's weights and its bias are one group.
    """
    numbers: dict[str, int] = {}
    sizes: dict[str, int] = {}
    groups = np.zeros(len(tensor), np.int64)
    for at, (name, units, elements, ways) in enumerate(tensors):
        labels = [name] if units is None else [f"{units.layer}[{unit}]" for unit in range(len(units.sizes))]
        for label, size in zip(labels, (elements,) if units is None else units.sizes, strict=True):
            if size:
                numbers.setdefault(label, len(numbers))
                sizes[label] = sizes.get(label, 0) + size * ways
        known = np.array([numbers.get(label, -1) for label in labels], np.int64)
        mine = tensor == at
        groups[mine] = known[0 if units is None else units.of(element[mine])]
    return groups, sizes
