"""Laying tensors one after the other: an axis becomes a sum."""

from __future__ import annotations

from collections.abc import Sequence

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.values import Dim, Value, fresh, strongest
from genewright.widths.axes import ONE, Leaf, leaves, product, total
from genewright.widths.reasons import Cause
from genewright.widths.unification import cut


@rule("aten.cat", "aten.concat", "aten.concatenate")
def cat(step: RuleContext) -> Value:
    """Lay tensors one after the other."""
    values = [v for v in step.args["tensors"] if v.shape != (0,)]
    at = step.position(values[0])
    source = strongest(v.source for v in values)
    dims: list[Dim] = []
    for position in range(len(values[0].dims)):
        meeting = [v.dims[position] for v in values]
        dims.append(_laid(step, meeting) if position == at else _all_one(step, meeting))
    for value in values:
        if value.source == "weight" and source == "data":
            for dim in value.dims:
                step.mark(dim, "carrier")
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


def _laid(step: RuleContext, meeting: Sequence[Dim]) -> Dim:
    for dim in meeting:
        if dim.size == 1 and isinstance(dim.axis, Leaf) and all(not leaf.pins for leaf in leaves(dim.axis)):
            step.pin(dim, Cause.ONE_ENTRY, "laid beside others")
    return Dim(total([dim.axis for dim in meeting]), frozenset[tuple[str, int]]().union(*(d.tags for d in meeting)))


def _all_one(step: RuleContext, meeting: Sequence[Dim]) -> Dim:
    out = meeting[0]
    for dim in meeting[1:]:
        out = step.join(out, dim)
    return out


@rule("aten.stack")
def stack(step: RuleContext) -> Value:
    """Lay tensors along an axis of its own."""
    values = step.args["tensors"]
    at = step.args["dim"] % (len(values[0].dims) + 1)
    dims = [_all_one(step, [v.dims[i] for v in values]) for i in range(len(values[0].dims))]
    dims.insert(at, step.fresh(len(values), Cause.COUNT, "what is stacked"))
    source = strongest(v.source for v in values)
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


@rule("aten.repeat", "aten.tile")
def repeat(step: RuleContext) -> Value:
    """Lay copies of a tensor beside it."""
    x: Value = step.args["self"]
    added = len(step.shape) - len(x.dims)
    dims = [Dim(Leaf(size) if size != 1 else ONE) for size in step.shape[:added]]
    for dim, size in zip(x.dims, step.shape[added:], strict=True):
        if dim.size == size:
            dims.append(dim)
        elif dim.size == 1:
            step.pin(dim, Cause.ONE_ENTRY, "repeated")
            dims.append(Dim(Leaf(size)))
        else:
            times = fresh(size // dim.size, step.reason(Cause.COUNT, "repetitions"))
            dims.append(Dim(product((times.axis, dim.axis)), dim.tags))
    return Value(tuple(dims), x.source)


@rule("aten.glu")
def glu(step: RuleContext) -> Value:
    """Gate the first half with the second."""
    x: Value = step.args["self"]
    at = step.position(x)
    first, second = cut(x.dims[at].axis, x.dims[at].size // 2)
    dims = [Dim(d.axis) for d in x.dims]
    dims[at] = step.join(Dim(first), Dim(second))
    return step.computed(dims)
