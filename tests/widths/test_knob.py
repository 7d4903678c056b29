"""A knob's places: where every position comes from when its units move."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genewright.widths.axes import Axis, Leaf, Product, Sum, size_of
from genewright.widths.knob import Knob, Place


def knob_of(leaf: Leaf, layout: Axis) -> tuple[Knob, Place]:
    place = Place("layer.weight", 0, layout, frozenset({"writer"}), "layer")
    return Knob("layer", leaf, (place,), (), (), (), (), ("layer",)), place


@st.composite
def moves(draw: st.DrawFn) -> tuple[Leaf, Axis, list[int]]:
    leaf, other = Leaf(draw(st.integers(1, 4))), Leaf(draw(st.integers(1, 3)))
    layout = draw(
        st.sampled_from(
            [
                leaf,
                Product((other, leaf)),
                Product((leaf, other)),
                Sum((leaf, other, leaf)),
                Sum((Product((other, leaf)), other)),
            ]
        )
    )
    return leaf, layout, draw(st.lists(st.integers(-1, leaf.size - 1), max_size=6))


@given(moves())
def test_new_units_come_from_nowhere_and_all_else_from_where_its_unit_was(case: tuple[Leaf, Axis, list[int]]) -> None:
    leaf, layout, index = case
    knob, place = knob_of(leaf, layout)
    moved, units, old = knob.moved(place, index), knob.new_units(place, index), knob.units(place)
    assert moved.dtype == units.dtype == old.dtype == np.int64
    assert len(moved) == len(units)
    assert len(old) == size_of(layout)
    for position, unit in zip(moved.tolist(), units.tolist(), strict=True):
        if unit >= 0 and index[unit] < 0:
            assert position == -1
        else:
            assert position >= 0
            assert old[position] == (index[unit] if unit >= 0 else -1)
    assert np.array_equal(moved, knob.moved(place, np.array(index, np.int32)))
