"""Pointwise operations: axes that meet are one; a length of one is stretched."""

from __future__ import annotations

from collections.abc import Sequence

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.values import Dim, Value, strongest
from genewright.widths.axes import ONE, Leaf
from genewright.widths.reasons import Cause


@rule(
    "pointwise",
    "aten.copy",
    "aten.masked_fill",
    "aten.where",
    "aten.floor_divide",
    "aten.clamp",
    "aten.nan_to_num",
    "aten.hardswish",
    "aten.hardsigmoid",
    "aten.log_sigmoid_forward",
    "aten.polar",
)
def pointwise(step: RuleContext) -> Value | tuple[Value, ...]:
    """Join the axes of all arguments, aligned at the last."""
    values = step.values()
    result = broadcast(step, values, step.shape)
    others = [Value(result.dims, result.source) for _ in step.outputs[1:]]
    return (result, *others) if others else result


@rule(
    "aten.clone",
    "aten._to_copy",
    "aten.to",
    "aten.contiguous",
    "aten.detach",
    "aten.alias",
    "aten.lift_fresh",
    "aten.lift_fresh_copy",
    "aten.dropout",
    "aten.feature_dropout",
    "aten.native_dropout",
    "aten.positive",
    "aten.resolve_conj",
    "aten.resolve_neg",
    "aten.fill",
    "aten.zero",
    "aten.bernoulli",
    "aten.uniform",
    "aten.normal_",
    "aten.view_as",
)
def same(step: RuleContext) -> Value | tuple[Value, ...]:
    """Hand on the axes of the first argument."""
    value = step.values()[0]
    result = Value(value.dims, value.source, value.direct, base=value)
    return result if len(step.outputs) == 1 else tuple(result for _ in step.outputs)


@rule("aten.tril", "aten.triu")
def triangle(step: RuleContext) -> Value:
    """Keep what is on one side of the diagonal, which pins both of its axes."""
    x: Value = step.args["self"]
    for dim in x.dims[-2:]:
        step.pin(dim, Cause.DIAGONAL)
    return Value(x.dims, x.source)


@rule("aten.bucketize")
def bucketize(step: RuleContext) -> Value:
    """Say between which of some boundaries every entry lies."""
    x: Value = step.args["self"]
    step.pin(step.args["boundaries"].dims[0], Cause.ORDERED, step.call.name)
    return Value(x.dims, x.source)


@rule("aten._prelu_kernel", "aten.prelu")
def prelu(step: RuleContext) -> Value:
    """Join the slopes, one a channel, with the channels."""
    x, slopes = step.args["self"], step.args["weight"]
    if len(slopes.dims) == 1 and slopes.dims[0].size > 1:
        step.bind("num_parameters", slopes.dims[0])
        slopes = slopes.with_dims([Dim(ONE), slopes.dims[0], *(Dim(ONE) for _ in x.dims[2:])][: len(x.dims)])
    return broadcast(step, [x, slopes], step.shape)


def broadcast(step: RuleContext, values: Sequence[Value], shape: Sequence[int]) -> Value:
    """Return what a pointwise operation on `values` gives."""
    source = strongest(v.source for v in values)
    dims = [
        _meet(step, [v.dims[-back] for v in values if len(v.dims) >= back], shape[-back], source)
        for back in range(len(shape), 0, -1)
    ]
    for value in values:
        if value.source == "weight" and source == "data":
            for dim in value.dims:
                step.mark(dim, "carrier")
    return Value(tuple(dims), source)


def _meet(step: RuleContext, meeting: Sequence[Dim], size: int, source: str) -> Dim:
    full = [dim for dim in meeting if dim.size == size]
    if size != 1:
        for dim in meeting:
            if dim.size == 1 and isinstance(dim.axis, Leaf):
                step.pin(dim, Cause.ONE_ENTRY, "stretched")
    else:
        held = [dim for dim in full if isinstance(dim.axis, Leaf)]
        full = held or full[:1]
    out = full[0]
    for dim in full[1:]:
        out = step.join(out, dim)
    return out if source == "weight" else Dim(out.axis)
