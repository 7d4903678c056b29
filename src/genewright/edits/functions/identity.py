"""The identity as a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genewright.edits.map import Function, Given
from genewright.part import Part


@dataclass(frozen=True, kw_only=True)
class Identity(Function):
    """A kernel that passes its input on: ones from input u to unit u at the centre of the window, zeros elsewhere.

    With n inputs and more units, unit u passes on input u mod n.

    Attributes:
        unit_axis: The axis of the units.
        input_axis: The axis of the inputs.
    """

    unit_axis: int
    input_axis: int

    def __call__(self, values: Any, given: Given) -> Any:
        values[...] = 0
        units = list(range(values.shape[self.unit_axis]))
        inputs = [unit % values.shape[self.input_axis] for unit in units]
        own = {self.unit_axis: units, self.input_axis: inputs}
        values[tuple(own.get(axis, [size // 2] * len(units)) for axis, size in enumerate(values.shape))] = 1
        return values

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        axes = (self.unit_axis, self.input_axis)
        fits = self.unit_axis != self.input_axis and all(0 <= axis < len(shape) and shape[axis] for axis in axes)
        return "" if fits else f"there are no axes {self.unit_axis} and {self.input_axis} of units and inputs"

    def words(self) -> str:
        return "the identity"

    def exact(self) -> bool:
        return True
