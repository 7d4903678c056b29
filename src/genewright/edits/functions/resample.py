"""Positions of another grid, interpolated between the old ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from genewright.edits.json_form import CODECS, Codec
from genewright.edits.map import Function, Given
from genewright.errors import RecipeError
from genewright.part import Part

_SHARPNESS = -0.75  # of the cubic kernel, as in image libraries and torch
Tap = tuple[tuple[int, float], ...]
Sides = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Resample(Function):
    """Lay a grid of rows out anew with another number of points: linear along one side, bicubic along two.

    Point i of m new ones lies at (i + 1/2) n / m - 1/2 among n old ones (half-pixel centres); the cubic kernel is that
    of Keys with a = -3/4, and beyond the edges the outermost points go on. Computed in float64, tap by tap, rows before
    columns, so that the bits are the same wherever it is computed. The axis holds the larger of both grids.

    Attributes:
        axes: The axis along which the grid lies, row by row; or one axis for its rows and one for its columns.
        old: The old grid: (length,) or (rows, columns).
        new: The new one.
        first: Entries before the grid along a single axis, which stay: class tokens, an offset.

    References:
        Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, equation 15.
    """

    axes: Sides
    old: Sides
    new: Sides
    first: int = 0

    def __call__(self, values: Any, given: Given) -> Any:
        single = len(self.axes) == 1
        for to, axis in enumerate(self.axes):
            values = values.swapaxes(to, axis)
        old, new = math.prod(self.old), math.prod(self.new)
        if single:
            read = values[self.first : self.first + old].reshape((*self.old, *values.shape[1:]))
        else:
            read = values[: self.old[0], : self.old[1]]
        double = read.double() if hasattr(read, "double") else read.astype("float64")
        for side, (n, m) in enumerate(zip(self.old, self.new, strict=True)):
            double = _along(double, side, n, m, cubic=len(self.old) > 1)
        made = double.to(values.dtype) if hasattr(double, "to") else double
        if single:
            values[self.first : self.first + new] = made.reshape((new, *values.shape[1:]))
        else:
            values[: self.new[0], : self.new[1]] = made
        for to, axis in reversed(list(enumerate(self.axes))):
            values = values.swapaxes(to, axis)
        return values

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        sides = len(self.old)
        if len(self.new) != sides or sides not in (1, 2) or len(self.axes) not in (1, sides) or self.first < 0:
            return "a grid has one or two sides, and lies along one axis or along two"
        if min(*self.old, *self.new) < 1 or tuple(sorted(set(self.axes))) != self.axes:
            return "a grid has points, and its axes come in order"
        if not all(0 <= axis < len(shape) for axis in self.axes) or (len(self.axes) > 1 and self.first):
            return f"there are no axes {self.axes} with such a grid"
        if len(self.axes) == 1:
            needed = [self.first + max(math.prod(self.old), math.prod(self.new))]
        else:
            needed = [max(pair) for pair in zip(self.old, self.new, strict=True)]
        held = [shape[axis] for axis in self.axes]
        return "" if held == needed else f"axes {self.axes} have {held} entries, and {needed} are read or written"

    def words(self) -> str:
        sides = [" x ".join(map(str, side)) for side in (self.old, self.new)]
        return f"{sides[0]} positions become {sides[1]}, {'linear' if len(self.old) == 1 else 'bicubic'}"


def _along(grid: Any, side: int, n: int, m: int, *, cubic: bool) -> Any:
    """Return the grid with m points along a side in place of n; the bits of n stay where m is n."""
    if n == m:
        return grid
    rows = grid.swapaxes(0, side)
    made = rows[[0] * m]  # a new array of the new length
    for place, taps in enumerate(_taps(n, m, cubic=cubic)):
        total = rows[taps[0][0]] * taps[0][1]
        for source, weight in taps[1:]:
            total = total + rows[source] * weight
        made[place] = total
    return made.swapaxes(0, side)


def _taps(n: int, m: int, *, cubic: bool) -> Iterator[Tap]:
    """Yield for each new point the old points that it is made of, with their weights, none of them 0."""
    for place in range(m):
        at = (place + 0.5) * (n / m) - 0.5
        if not cubic:
            at = max(at, 0.0)
        low = math.floor(at)
        t = at - low
        near = ((0, 1 - t), (1, t)) if not cubic else tuple((k, _cubic(abs(t - k))) for k in (-1, 0, 1, 2))
        yield tuple((min(max(low + k, 0), n - 1), weight) for k, weight in near if weight)


def _cubic(distance: float) -> float:
    a = _SHARPNESS
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a


def _sides(form: Any) -> Sides:
    entries = cast("list[Any]", form)
    if not isinstance(form, list) or not entries or any(type(entry) is not int for entry in entries):
        raise RecipeError(f"The recipe is damaged: expected whole numbers in a list, received {str(entries)[:80]!r}.")
    return tuple(entries)


CODECS["Sides"] = Codec(list, _sides)
