from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from genewright.widths.axes import (
    ONE,
    Axis,
    Leaf,
    Product,
    Reason,
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


@given(layouts())
def test_gathering_by_the_old_units_moves_nothing(case: tuple[Leaf, Axis, list[int]]) -> None:
    leaf, axis, _ = case
    assert gathered(axis, leaf, range(leaf.size)) == list(range(size_of(axis)))


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
    assert set(found) <= {-1, *range(leaf.size)}
    assert (leaf in list(leaves(axis))) == (found != [-1] * len(found))


def test_heads_of_a_fused_projection_are_gathered_in_every_part() -> None:
    heads, size = Leaf(2), Leaf(2)
    part = Product((heads, size))
    assert gathered(Sum((part, part)), heads, [1]) == [2, 3, 6, 7]
    assert gathered(Sum((part, part)), size, [0]) == [0, 2, 4, 6]


def test_what_is_said_of_a_leaf_holds_for_what_it_turns_out_to_be() -> None:
    whole, outer, inner = Leaf(6), Leaf(2), Leaf(3)
    pin(whole, Reason("it is a length of the input"))
    bind(whole, Product((outer, inner)))
    assert [str(reason) for reason in inner.pins] == ["it is a length of the input"]
    assert size_of(resolve(whole)) == math.prod((2, 3))


def test_factors_of_one_fall_away() -> None:
    leaf = Leaf(5)
    assert resolve(Product((ONE, Product((leaf, ONE))))) is leaf
