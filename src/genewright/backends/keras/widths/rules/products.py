"""Products in keras.ops of tensors that are computed: scores of queries and keys, sums weighted by them."""

from __future__ import annotations

from genewright.backends.keras.widths.propagation import RuleContext, Value
from genewright.widths.axes import Axis, size_of
from genewright.widths.reasons import Cause


def matmul(step: RuleContext) -> list[Value]:
    """Read x1 @ x2: the last axis of the one and the last but one of the other are one, and are summed over."""
    if len(step.inputs) != 2 or any(len(value.axes) < 2 for value in step.inputs):
        return step.pinned(Cause.CALLED_OTHERWISE, "it takes an array of the graph, or one of a single axis")
    first, second = (list(value.axes) for value in step.inputs)
    step.join(first[-1], second[-2])
    step.mix(first[-1], Cause.CONTRACTED, "matmul")
    rank = max(len(first), len(second)) - 2
    batch = [
        _met(step, [axes[:-2][-back] for axes in (first, second) if len(axes) - 2 >= back])
        for back in range(rank, 0, -1)
    ]
    return [Value((*batch, first[-2], second[-1]))]


def einsum(step: RuleContext) -> list[Value]:
    """Read an equation whose operands are all computed: what has one letter is one axis."""
    terms, arrow, made = str(step.layer.subscripts).replace(" ", "").partition("->")
    given = terms.split(",")
    fits = len(given) == len(step.inputs) and all(
        len(set(term)) == len(term) == len(value.axes) for term, value in zip(given, step.inputs, strict=True)
    )
    if not arrow or not fits or len(set(made)) != len(made):
        return step.pinned(Cause.CALLED_OTHERWISE, "its equation has an ellipsis, a diagonal or no arrow")
    meeting: dict[str, list[Axis]] = {}
    for term, value in zip(given, step.inputs, strict=True):
        for letter, axis in zip(term, value.axes, strict=True):
            meeting.setdefault(letter, []).append(axis)
    known = {letter: _met(step, axes) for letter, axes in meeting.items()}
    for letter, axes in meeting.items():
        if letter not in made:
            step.mix(known[letter], Cause.CONTRACTED if len(axes) > 1 else Cause.SUMMED, "einsum")
    return [Value(tuple(known[letter] for letter in made))]


def _met(step: RuleContext, axes: list[Axis]) -> Axis:
    """Return what axes become that meet: one axis, where a length of one is stretched."""
    longest = max(axes, key=size_of)
    for axis in axes:
        if axis is not longest and size_of(axis) == size_of(longest):
            step.join(longest, axis)
        elif axis is not longest:
            step.pin(axis, Cause.ONE_ENTRY, "stretched")
    return longest
