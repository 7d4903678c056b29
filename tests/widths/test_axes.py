from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genewright.widths.axes import (
    ONE,
    Axis,
    Leaf,
    Product,
    Sum,
    bind,
    coordinates,
    gathered,
    leaves,
    pin,
    resized,
    resolve,
    size_of,
)
from genewright.widths.reasons import Cause, Reason

SIZES = st.integers(1, 4)


def axes(leaf: Leaf) -> st.SearchStrategy[Axis]:
    """Expressions in which `leaf` may stand, several times too."""
    atoms = st.one_of(st.just(leaf), SIZES.map(Leaf))
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda found: Product(tuple(found))),
            st.lists(inner, min_size=1, max_size=3).map(lambda found: Sum(tuple(found))),
        ),
        max_leaves=5,
    )


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Leaf, Axis, list[int]]:
    leaf = Leaf(draw(SIZES))
    index = draw(st.lists(st.integers(0, leaf.size - 1), min_size=1, max_size=6))
    return leaf, draw(axes(leaf)), index


def gathered_one_by_one(axis: Axis, leaf: Leaf, index: list[int]) -> list[int]:
    """The definition, position by position."""
    axis = resolve(axis)
    if axis is leaf:
        return index
    if isinstance(axis, Leaf):
        return list(range(axis.size))
    if isinstance(axis, Sum):
        out: list[int] = []
        start = 0
        for part in axis.parts:
            out.extend(start + i for i in gathered_one_by_one(part, leaf, index))
            start += size_of(part)
        return out
    positions = [0]
    for factor in axis.factors:
        inner = gathered_one_by_one(factor, leaf, index)
        positions = [outer * size_of(factor) + i for outer in positions for i in inner]
    return positions


def coordinates_one_by_one(axis: Axis, leaf: Leaf) -> list[int]:
    """The definition, position by position."""
    axis = resolve(axis)
    if axis is leaf:
        return list(range(leaf.size))
    if isinstance(axis, Leaf):
        return [-1] * axis.size
    if isinstance(axis, Sum):
        return [unit for part in axis.parts for unit in coordinates_one_by_one(part, leaf)]
    units = [-1]
    for factor in axis.factors:
        inner = coordinates_one_by_one(factor, leaf)
        units = [i if i >= 0 else outer for outer in units for i in inner]
    return units


@given(layouts(), st.booleans())
def test_gathering_is_its_definition_position_by_position(case: tuple[Leaf, Axis, list[int]], as_array: bool) -> None:
    leaf, axis, index = case
    found = gathered(axis, leaf, np.array(index, np.int32) if as_array else index)
    assert found.dtype == np.int64
    assert found.tolist() == gathered_one_by_one(axis, leaf, index)


@given(layouts())
def test_coordinates_are_their_definition_position_by_position(case: tuple[Leaf, Axis, list[int]]) -> None:
    leaf, axis, _ = case
    found = coordinates(axis, leaf)
    assert found.dtype == np.int64
    assert found.tolist() == coordinates_one_by_one(axis, leaf)


@given(layouts())
def test_gathering_by_the_old_units_moves_nothing(case: tuple[Leaf, Axis, list[int]]) -> None:
    leaf, axis, _ = case
    assert gathered(axis, leaf, range(leaf.size)).tolist() == list(range(size_of(axis)))


@given(layouts())
def test_a_gathered_axis_has_the_resized_length(case: tuple[Leaf, Axis, list[int]]) -> None:
    leaf, axis, index = case
    moved = gathered(axis, leaf, index)
    assert len(moved) == resized(axis, {leaf: len(index)})
    assert all(0 <= position < size_of(axis) for position in moved)


@given(layouts())
def test_coordinates_name_the_unit_of_every_position(case: tuple[Leaf, Axis, list[int]]) -> None:
    leaf, axis, _ = case
    found = coordinates(axis, leaf)
    assert len(found) == size_of(axis)
    assert set(found.tolist()) <= {-1, *range(leaf.size)}
    assert (leaf in list(leaves(axis))) == bool((found >= 0).any())


def test_what_was_asked_is_not_changed_by_writing_into_the_answer() -> None:
    leaf, index = Leaf(3), np.array([2, 0, 1])
    gathered(leaf, leaf, index)[:] = 7
    assert index.tolist() == [2, 0, 1]


def test_heads_of_a_fused_projection_are_gathered_in_every_part() -> None:
    heads, size = Leaf(2), Leaf(2)
    part = Product((heads, size))
    assert gathered(Sum((part, part)), heads, [1]).tolist() == [2, 3, 6, 7]
    assert gathered(Sum((part, part)), size, [0]).tolist() == [0, 2, 4, 6]


def test_what_is_said_of_a_leaf_holds_for_what_it_turns_out_to_be() -> None:
    whole, outer, inner = Leaf(6), Leaf(2), Leaf(3)
    pin(whole, Reason(Cause.INPUT))
    bind(whole, Product((outer, inner)))
    assert [str(reason) for reason in inner.pins] == ["it is a length of the model's input"]
    assert size_of(resolve(whole)) == math.prod((2, 3))


def test_factors_of_one_fall_away() -> None:
    leaf = Leaf(5)
    assert resolve(Product((ONE, Product((leaf, ONE))))) is leaf
