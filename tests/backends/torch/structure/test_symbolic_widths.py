"""What knobs say grows together, held to what torch's own shape checks say when every length is a symbol."""

from __future__ import annotations

import pytest
import sympy

from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.widths.axes import resized
from tests.backends.torch.structure.symbolic_widths import equal_lengths
from tests.operators.architecture.wide_networks import make


@pytest.mark.parametrize("name", ["convolutions", "concatenated", "gated", "tied", "halves", "scales", "attention"])
def test_lengths_that_torch_takes_for_one_grow_as_one(name: str) -> None:
    model, example = make(name)
    lengths, equations = equal_lengths(model, example)
    widths = TorchWidths(model, example)
    held = {
        (tensor, axis): dim.axis
        for tensor, value in widths.reading.parameters.items()
        for axis, dim in enumerate(value.dims)
        if (tensor, axis) in lengths
    }
    assert len(held) > 4
    hidden = [knob for knob in widths.knobs() if knob.hidden and knob.plain]
    assert hidden
    tried = 0
    for knob in hidden:
        sizes = {knob.leaf: 2 * knob.size}
        new = {place: resized(layout, sizes) for place, layout in held.items()}
        values = {lengths[p]: size for p, size in new.items() if isinstance(lengths[p], sympy.Symbol)}
        for place, size in new.items():
            expression = sympy.sympify(lengths[place])
            assert not expression.is_number or size == int(expression), (
                f"{knob.name}: {place} is {expression} for torch"
            )
            if expression.free_symbols <= values.keys():
                assert expression.subs(values) == size, f"{knob.name}: {place} is {expression} for torch"
                tried += 1
        for equation in equations:
            if equation.free_symbols <= values.keys():
                assert equation.subs(values), f"{knob.name}: torch assumes {equation}"
                tried += 1
    assert tried > len(hidden)
