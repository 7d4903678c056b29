"""Matrix products: the axis that is summed over is one in both; a parameter reads along it and writes along its other.

Where neither side is a parameter (queries times keys), units along the summed axis are mixed.
"""

from __future__ import annotations

from collections.abc import Sequence

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.rules.pointwise import broadcast
from genewright.backends.torch.structure.values import Dim, Value, strongest
from genewright.widths.reasons import Cause


@rule("aten.mm", "aten.bmm", "aten.mv", "aten.dot", "aten.matmul")
def product(step: RuleContext) -> Value:
    """Read self @ other."""
    a, b = step.values()[:2]
    return contract(step, a, b)


@rule("aten.addmm", "aten.baddbmm", "aten.addmv", "aten._addmm_activation")
def add_product(step: RuleContext) -> Value:
    """Read bias + a @ b."""
    bias, a, b = step.values()[:3]
    return broadcast(step, [contract(step, a, b), bias], step.shape)


@rule("aten._sparse_addmm")
def add_sparse_product(step: RuleContext) -> Value:
    """Read beta * bias + a @ b, a being sparse; torch.sparse.mm hands over an empty bias with a beta of 0."""
    bias, a, b = step.values()[:3]
    out = contract(step, a, b)
    return out if step.args["beta"] == 0 else broadcast(step, [out, bias], step.shape)


@rule("aten.addbmm")
def add_sum_of_products(step: RuleContext) -> Value:
    """Read bias + the sum over n of a[n] @ b[n]."""
    bias, a, b = step.values()[:3]
    out = contract(step, a, b)
    step.mix(out.dims[0], Cause.SUMMED, step.call.name)
    return broadcast(step, [out.with_dims(out.dims[1:]), bias], step.shape)


@rule("aten.linear")
def linear(step: RuleContext) -> Value:
    """Read x @ weight.T + bias."""
    x, weight = step.args["input"], step.args["weight"]
    out = contract(step, x, weight.with_dims(weight.dims[::-1]))
    bias = step.args["bias"]
    return out if bias is None else broadcast(step, [out, bias], step.shape)


@rule("aten._trilinear")
def trilinear(step: RuleContext) -> Value:
    """Read the sum over some axes of a * b * c, each with axes of length one put in between."""
    aligned: list[list[Dim | None]] = []
    values = step.values()
    for value, gaps in zip(values, ("expand1", "expand2", "expand3"), strict=True):
        rest = iter(value.dims)
        rank = len(value.dims) + len(step.args[gaps])
        aligned.append([None if at in step.args[gaps] else next(rest) for at in range(rank)])
    out: list[Dim] = []
    for at, meeting in enumerate(zip(*aligned, strict=True)):
        met = [(value, dim) for value, dim in zip(values, meeting, strict=True) if dim is not None]
        for _, dim in met[1:]:
            step.join(met[0][1], dim)
        weights = [dim for value, dim in met if value.source == "weight"]
        gone = at in step.args["sumdim"]
        for dim in weights:
            step.mark(dim, "reader" if gone else "writer")
        if gone and not weights:
            step.mix(met[0][1], Cause.CONTRACTED, step.call.name)
        if not gone:
            out.append(Dim(met[0][1].axis))
    return step.computed(out)


@rule("aten._grouped_mm")
def grouped(step: RuleContext) -> Value:
    """Read x @ weight[expert], the rows of x being dealt to the experts."""
    x, weight = step.args["self"], step.args["mat2"]
    if len(x.dims) != 2 or len(weight.dims) != 3:
        raise ValueError("groups along another axis")
    step.pin(weight.dims[0], Cause.COUNT, "experts, which rows are dealt to by number")
    summed(step, x, x.dims[1], weight, weight.dims[1], (), (weight.dims[2],))
    return step.computed([Dim(x.dims[0].axis), Dim(weight.dims[2].axis)])


def contract(step: RuleContext, a: Value, b: Value) -> Value:
    """Return a @ b with the roles of whichever of the two is a parameter."""
    a_batch, b_batch = a.dims[:-2], b.dims[:-2]
    a_kept = a.dims[-2:-1] if len(a.dims) > 1 else ()
    b_kept = b.dims[-1:] if len(b.dims) > 1 else ()
    a_summed = a.dims[len(a.dims) - 1]
    b_summed = b.dims[max(len(b.dims) - 2, 0)]
    summed(step, a, a_summed, b, b_summed, a_kept, b_kept)
    source = strongest((a.source, b.source))
    for value, dims in ((a, a_batch), (b, b_batch)):
        for dim in dims if value.source == "weight" else ():
            step.mark(dim, "carrier")
    batch: Sequence[Dim] = a_batch or b_batch
    if a_batch and b_batch:
        batch = [step.join(x, y) for x, y in zip(a_batch, b_batch, strict=True)]
    dims = (*batch, *a_kept, *b_kept)
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


def summed(
    step: RuleContext,
    a: Value,
    a_summed: Dim,
    b: Value,
    b_summed: Dim,
    a_kept: tuple[Dim, ...],
    b_kept: tuple[Dim, ...],
) -> None:
    """Join the axis that is summed over, and note who reads along it."""
    step.join(a_summed, b_summed)
    weights = [value.source == "weight" for value in (a, b)]
    if all(weights):
        # Of two parameters, the one still in its own values is the kernel; a learned token is what it is applied to.
        weights = [a.direct and not b.direct, b.direct or not a.direct]
    if weights[1]:
        step.mark(b_summed, "reader")
        for dim in b_kept:
            step.mark(dim, "writer")
    elif weights[0]:
        step.mark(a_summed, "reader")
        for dim in a_kept:
            step.mark(dim, "writer")
    else:
        step.mix(a_summed, Cause.CONTRACTED, step.call.name)
