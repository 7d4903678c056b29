from __future__ import annotations

import pytest

from genewright.widths.axes import Leaf, Product, Sum, leaves, resolve, size_of
from genewright.widths.reasons import Cause, Reason
from genewright.widths.unification import UnificationError, cut, join, split, unify


def sizes(axis: object) -> object:
    """An axis in numbers: products as tuples, sums as lists."""
    axis = resolve(axis)
    if isinstance(axis, Product):
        return tuple(sizes(factor) for factor in axis.factors)
    if isinstance(axis, Sum):
        return [sizes(part) for part in axis.parts]
    return axis.size


def test_a_view_splits_a_width_everywhere() -> None:
    width = Leaf(12)
    weight_axis = width
    heads, size = split(width, 3)
    assert sizes(weight_axis) == (3, 4)
    assert (size_of(heads), size_of(size)) == (3, 4)


def test_a_fused_projection_is_three_times_one_width() -> None:
    fused, q, k, v = Leaf(12), Leaf(4), Leaf(4), Leaf(4)
    _three, width = split(fused, 3)
    unify(Sum((q, k, v)), fused)
    assert resolve(q) is resolve(k) is resolve(v) is resolve(width)


def test_groups_of_queries_share_their_size_with_keys_and_values() -> None:
    queries, keys = Leaf(32), Leaf(16)
    heads, size = split(Sum((queries, keys)), 6)
    assert sizes(queries) == (4, 8)
    assert sizes(keys) == (2, 8)
    assert sizes(heads) == [4, 2]
    assert resolve(size) is list(leaves(keys))[1]


def test_cutting_cuts_the_slow_factor() -> None:
    slow, fast = Leaf(4), Leaf(3)
    head, rest = cut(Product((slow, fast)), 3)
    assert resolve(head) is fast  # a factor of one falls away
    assert sizes(rest) == (3, 3)
    assert resolve(list(leaves(rest))[1]) is fast


def test_cutting_across_a_layout_is_refused() -> None:
    with pytest.raises(UnificationError):
        cut(Product((Leaf(4), Leaf(3))), 4)


def test_sums_with_other_boundaries_are_refined() -> None:
    a, b = Leaf(5), Leaf(3)
    c, d = Leaf(2), Leaf(6)
    unify(Sum((a, b)), Sum((c, d)))
    assert sizes(a) == [2, 3]
    assert sizes(d) == [3, 3]


def test_products_with_other_boundaries_are_refined() -> None:
    a, b = Leaf(6), Leaf(2)
    c, d = Leaf(2), Leaf(6)
    unify(Product((a, b)), Product((c, d)))
    assert sizes(a) == (2, 3)
    assert sizes(d) == (3, 2)


def test_lengths_that_only_look_alike_are_not_joined() -> None:
    a, b = Leaf(4), Leaf(4)
    split(a, 2)
    assert resolve(b) is b


def test_joining_what_does_not_fit_pins_both_and_says_where() -> None:
    a, b = Product((Leaf(2), Leaf(3))), Sum((Leaf(4), Leaf(2)))
    join(a, b, Reason(Cause.LAYOUTS, "aten.add", "net.py:7"))
    assert all(
        str(leaf.pins[0]) == "aten.add meets two layouts that do not fit (net.py:7)"
        for axis in (a, b)
        for leaf in leaves(axis)
    )
