"""Unification of axes: what pointwise operations, views and concatenations say about widths.

A width that occurs twice in one product (a square) cannot be told apart by its positions; `unify` never makes one
unless the network does.
"""

from __future__ import annotations

from genewright.errors import GenewrightError
from genewright.widths.axes import (
    ONE,
    Axis,
    Leaf,
    Product,
    Sum,
    bind,
    leaves,
    pin,
    product,
    resolve,
    size_of,
    total,
)
from genewright.widths.reasons import Reason


class UnificationError(GenewrightError, ValueError):
    """Two layouts of an axis have no common refinement; whoever asked pins both."""


def join(a: Axis, b: Axis, reason: Reason) -> Axis:
    """Make two axes one; where their layouts do not fit, pin both for `reason`."""
    try:
        unify(a, b)
    except UnificationError:
        pin(a, reason)
        pin(b, reason)
    return a


def unify(a: Axis, b: Axis) -> None:
    """Make two axes one, refining widths where their layouts ask for it.

    Raises:
        UnificationError: Their lengths differ, or their layouts have no common refinement.
    """
    a, b = resolve(a), resolve(b)
    if a is b:
        return
    if size_of(a) != size_of(b):
        raise UnificationError
    if isinstance(a, Leaf) or isinstance(b, Leaf):
        leaf, other = (a, b) if isinstance(a, Leaf) else (b, a)
        assert isinstance(leaf, Leaf)
        if any(leaf is inner for inner in leaves(other)):
            raise UnificationError
        bind(leaf, other)
    elif isinstance(a, Sum) and isinstance(b, Sum):
        _align_sums(a, b)
    elif isinstance(a, Product) and isinstance(b, Product):
        _align_products(a, b)
    else:
        whole, parts = (a, b) if isinstance(b, Sum) else (b, a)
        assert isinstance(parts, Sum)
        rest: Axis = whole
        try:
            for part in parts.parts[:-1]:
                head, rest = cut(rest, size_of(part))
                unify(head, part)
            unify(rest, parts.parts[-1])
        except UnificationError:
            assert isinstance(whole, Product)
            outer, inner = split(parts, size_of(whole.factors[0]))
            unify(outer, whole.factors[0])
            unify(inner, product(whole.factors[1:]))


def _align_sums(a: Sum, b: Sum) -> None:
    left, right = list(a.parts), list(b.parts)
    while left and right:
        x, y = resolve(left.pop(0)), resolve(right.pop(0))
        if size_of(x) > size_of(y):
            x, rest = cut(x, size_of(y))
            left.insert(0, rest)
        elif size_of(y) > size_of(x):
            y, rest = cut(y, size_of(x))
            right.insert(0, rest)
        unify(x, y)


def _align_products(a: Product, b: Product) -> None:
    left, right = list(a.factors), list(b.factors)
    while left and right:
        x, y = resolve(left.pop(0)), resolve(right.pop(0))
        if size_of(x) == 1 or size_of(y) == 1:
            left[:0] = [] if size_of(x) == 1 else [x]
            right[:0] = [] if size_of(y) == 1 else [y]
            continue
        if size_of(x) > size_of(y):
            x, rest = split(x, size_of(y))
            left.insert(0, rest)
        elif size_of(y) > size_of(x):
            y, rest = split(y, size_of(x))
            right.insert(0, rest)
        unify(x, y)


def split(axis: Axis, outer: int) -> tuple[Axis, Axis]:
    """Return (slow, fast) factors of an axis, the slow one of size `outer`.

    Raises:
        UnificationError: The layout does not allow it.
    """
    axis = resolve(axis)
    size = size_of(axis)
    if outer == size:
        return axis, ONE
    if outer == 1:
        return ONE, axis
    if outer == 0 or size % outer:
        raise UnificationError
    if isinstance(axis, Leaf):
        slow, fast = Leaf(outer), Leaf(size // outer)
        bind(axis, Product((slow, fast)))
        return slow, fast
    if isinstance(axis, Sum):
        return _split_sum(axis, size // outer)
    taken: list[Axis] = []
    rest = list(axis.factors)
    left = outer
    while left > 1:
        factor = rest.pop(0)
        if left % size_of(factor) == 0:
            taken.append(factor)
            left //= size_of(factor)
            continue
        slow, fast = split(factor, left)
        taken.append(slow)
        rest.insert(0, fast)
        left = 1
    return product(taken), product(rest)


def _split_sum(axis: Sum, inner: int) -> tuple[Axis, Axis]:
    """Take the common fast factor out of every part: 8 * 4 + 2 * 4 is (8 + 2) * 4."""
    if any(size_of(part) % inner for part in axis.parts):
        raise UnificationError
    slow: list[Axis] = []
    fast: Axis | None = None
    for part in axis.parts:
        outside, inside = split(part, size_of(part) // inner)
        slow.append(outside)
        if fast is None:
            fast = inside
        else:
            unify(fast, inside)
    assert fast is not None
    return total(slow), fast


def cut(axis: Axis, at: int) -> tuple[Axis, Axis]:
    """Return the first `at` positions of an axis and the rest, as axes.

    Raises:
        UnificationError: The layout does not allow it.
    """
    axis = resolve(axis)
    size = size_of(axis)
    if isinstance(axis, Leaf):
        head: Axis = Leaf(at) if at != 1 else ONE
        rest: Axis = Leaf(size - at) if size - at != 1 else ONE
        bind(axis, Sum((head, rest)))
        return head, rest
    if isinstance(axis, Sum):
        before: list[Axis] = []
        parts = list(axis.parts)
        left = at
        while parts and left >= size_of(parts[0]) and left:
            left -= size_of(parts[0])
            before.append(parts.pop(0))
        if left:
            first, second = cut(parts.pop(0), left)
            before.append(first)
            parts.insert(0, second)
        return total(before), total(parts)
    if at in (0, size):
        return (Leaf(0), axis) if at == 0 else (axis, Leaf(0))
    if not axis.factors:
        raise UnificationError
    inner = product(axis.factors[1:])
    if at % size_of(inner):
        raise UnificationError
    slow_head, slow_rest = cut(axis.factors[0], at // size_of(inner))
    return product((slow_head, inner)), product((slow_rest, inner))
