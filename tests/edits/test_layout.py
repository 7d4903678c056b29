"""Layouts: how units lie along an axis, against the algebra of axes and against brute force."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import genewright as gw
from genewright.edits.layout import Layout, gathered, layout_from_json, layout_to_json, length, units
from genewright.widths.axes import Leaf, Product, Sum
from genewright.widths.layouts import by_unit, layout_of

FORMS = st.recursive(
    st.just("u") | st.integers(0, 3),
    lambda inner: (
        st.tuples(st.sampled_from("+*"), inner, inner) | st.tuples(st.sampled_from("+*"), inner, inner, inner)
    ),
    max_leaves=5,
)


def spelled(layout: Layout, size: int) -> list[Any]:
    """Return each position as what it is made of: the definition, by brute force."""
    if layout == "u":
        return [("u", i) for i in range(size)]
    if isinstance(layout, int):
        return [("n", i) for i in range(layout)]
    parts = [spelled(part, size) for part in layout[1:]]
    if layout[0] == "+":
        return [(place, each) for place, part in enumerate(parts) for each in part]
    return list(itertools.product(*parts))


def with_unit(position: Any, index: list[int]) -> Any:
    """Return a position with its new units replaced by the old ones that they come from."""
    if isinstance(position, tuple) and len(position) == 2 and position[0] == "u":
        return ("u", index[position[1]])
    return tuple(with_unit(part, index) for part in position) if isinstance(position, tuple) else position


@given(FORMS, st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_gathered_moves_each_position_with_its_units(layout: Layout, index: list[int]) -> None:
    old = spelled(layout, 3)
    new = spelled(layout, len(index))
    moved = gathered(layout, np.array(index), 3)
    assert len(moved) == len(new) == length(layout, len(index))
    assert [old[i] for i in moved.tolist()] == [with_unit(position, index) for position in new]


@given(FORMS)
def test_json_holds_a_layout(layout: Layout) -> None:
    assert layout_from_json(json.loads(json.dumps(layout_to_json(layout)))) == layout


def test_layouts_are_read_off_axes() -> None:
    heads, size, rest = Leaf(4), Leaf(8), Leaf(5)
    axis = Sum((Product((Leaf(3), heads, size)), rest, Product((heads, size))))
    assert layout_of(axis, heads) == ("+", ("*", 3, "u", 8), 5, ("*", "u", 8))
    assert layout_of(axis, size) == ("+", ("*", 12, "u"), 5, ("*", 4, "u"))
    assert layout_of(axis, rest) == ("+", 96, "u", 32)
    assert units(layout_of(axis, rest), 5).tolist() == [-1] * 96 + [0, 1, 2, 3, 4] + [-1] * 32
    assert by_unit(layout_of(axis, heads), 4).shape == (4, 32)


@pytest.mark.parametrize("form", [None, "v", -1, True, 1.5, [], ["u"], ["+"], ["-", "u", 1], {"*": 1}, 1 << 40])
def test_what_is_no_layout_is_refused(form: Any) -> None:
    with pytest.raises(gw.RecipeError, match="layout"):
        layout_from_json(form)


def test_a_deep_layout_is_refused() -> None:
    form: Any = "u"
    for _ in range(2000):
        form = ["+", form, 1]
    with pytest.raises(gw.RecipeError, match="layout"):
        layout_from_json(form)
