"""Reductions and softmax: what is summed away has no weights to keep the sum with, so its units are mixed."""

from __future__ import annotations

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.rules.pointwise import broadcast
from genewright.backends.torch.structure.values import Dim, Value
from genewright.widths.axes import ONE
from genewright.widths.reasons import Cause


@rule(
    "aten.mean",
    "aten.sum",
    "aten.var",
    "aten.std",
    "aten.var_mean",
    "aten.std_mean",
    "aten.amax",
    "aten.amin",
    "aten.max",
    "aten.min",
    "aten.prod",
    "aten.norm",
    "aten.linalg_vector_norm",
    "aten.logsumexp",
    "aten.any",
    "aten.all",
    "aten.argmax",
    "aten.argmin",
    "aten.median",
    "aten.nanmedian",
    "aten.nansum",
    "aten.aminmax",
    "aten.count_nonzero",
)
def reduce(step: RuleContext) -> Value | tuple[Value, ...]:
    """Reduce some axes, or all."""
    values = step.values()
    if len(values) == 2:  # torch.max(a, b) is pointwise
        raise TypeError("two tensors")
    x = values[0]
    chosen = step.args.get("dim")
    numbered = step.call.name in ("aten.max", "aten.min", "aten.median", "aten.nanmedian")
    if chosen is None or chosen == []:
        gone = set(range(len(x.dims)))
    else:
        gone = {at % max(1, len(x.dims)) for at in ([chosen] if isinstance(chosen, int) else chosen)}
    keep = bool(step.args.get("keepdim"))
    dims: list[Dim] = []
    for at, dim in enumerate(x.dims):
        if at not in gone:
            dims.append(dim)
            continue
        if dim.size != 1:
            step.mix(dim, _cause(step), step.call.name)
            if step.call.name in ("aten.argmax", "aten.argmin") or (numbered and len(step.outputs) == 2):
                step.pin(dim, Cause.NUMBERED, step.call.name)
        if keep:
            dims.append(Dim(ONE))
    out = Value(tuple(dims), x.source)
    return out if len(step.outputs) == 1 else tuple(out for _ in step.outputs)


def _cause(step: RuleContext) -> Cause:
    """Return what a reduction is; a variance is a mean of squares where it divides by the number of entries."""
    name = step.call.name.removeprefix("aten.")
    if name in ("sum", "nansum"):
        return Cause.SUMMED
    squares = name in ("var", "std", "var_mean", "std_mean")
    plain = squares and (step.args.get("correction") == 0 or step.args.get("unbiased") is False)
    return Cause.AVERAGED if plain or name == "mean" else Cause.REDUCED


@rule("aten._softmax", "aten.softmax", "aten._safe_softmax", "aten._log_softmax", "aten.log_softmax")
def softmax(step: RuleContext) -> Value:
    """Normalise along one axis, which mixes it."""
    x: Value = step.args["self"]
    step.mix(x.dims[step.position(x)], Cause.SOFTMAX, "a softmax")
    return Value(x.dims, x.source)


@rule("aten.cumsum", "aten.cumprod", "aten.logcumsumexp", "aten.sort", "aten.argsort", "aten.cummax", "aten.cummin")
def along(step: RuleContext) -> Value | tuple[Value, ...]:
    """Go along one axis, which pins it: its order matters."""
    x: Value = step.args["self"]
    if x.dims:
        step.pin(x.dims[step.position(x)], Cause.ORDERED, step.call.name)
    out = Value(x.dims, x.source)
    return out if len(step.outputs) == 1 else tuple(out for _ in step.outputs)


@rule("aten._fft_c2c", "aten._fft_r2c", "aten._fft_c2r")
def fourier(step: RuleContext) -> Value:
    """Transform along some axes, which pins them."""
    x: Value = step.args["self"]
    dims = [Dim(dim.axis) for dim in x.dims]
    for at in map(int, step.args["dim"]):
        step.pin(x.dims[at], Cause.ORDERED, "a Fourier transform")
        if x.dims[at].size != step.shape[at]:
            dims[at] = step.fresh(step.shape[at], Cause.COUNT, "frequencies")
    return Value(tuple(dims), x.source)


@rule("aten.topk")
def topk(step: RuleContext) -> tuple[Value, ...]:
    """Take the largest along one axis, which pins it."""
    x: Value = step.args["self"]
    at = step.position(x)
    step.pin(x.dims[at], Cause.ORDERED, step.call.name)
    dims = [Dim(dim.axis) for dim in x.dims]
    dims[at] = step.fresh(step.shape[at], Cause.COUNT, "the largest that are taken")
    return tuple(Value(tuple(dims), x.source) for _ in step.outputs)


@rule("aten.kthvalue")
def kth_value(step: RuleContext) -> tuple[Value, ...]:
    """Take one entry of an axis by its rank, which pins it."""
    x: Value = step.args["self"]
    at = step.position(x)
    dims = [Dim(dim.axis) for dim in x.dims]
    if dims:
        step.pin(x.dims[at], Cause.ORDERED, step.call.name)
        dims[at : at + 1] = [Dim(ONE)] if step.args["keepdim"] else []
    return tuple(Value(tuple(dims), x.source) for _ in step.outputs)


@rule("aten.renorm")
def renorm(step: RuleContext) -> Value:
    """Shorten the slices along one axis that are too long: their norm looks across all other axes."""
    x: Value = step.args["self"]
    at = step.position(x)
    for other, dim in enumerate(x.dims):
        if other != at:
            step.mix(dim, Cause.NORMALISED, step.call.name)
    return Value(tuple(Dim(dim.axis) for dim in x.dims), x.source)


@rule("aten._cdist_forward", "aten._euclidean_dist")
def distances(step: RuleContext) -> Value:
    """Measure the distance of every vector of one tensor from every one of another: it looks across their features."""
    a, b = step.args["x1"], step.args["x2"]
    step.mix(step.join(a.dims[-1], b.dims[-1]), Cause.REDUCED, step.call.name)
    for value in (a, b):
        for dim in value.dims if value.source == "weight" else ():
            step.mark(dim, "carrier")
    before = [a.with_dims(a.dims[:-2]), b.with_dims(b.dims[:-2])]
    batch = broadcast(step, before, step.shape[:-2]).dims
    return step.computed([Dim(dim.axis) for dim in (*batch, a.dims[-2], b.dims[-2])])


@rule("aten._local_scalar_dense", "aten.item", "aten.is_nonzero", "aten.equal")
def scalar(step: RuleContext) -> None:
    """Read a value: no tensor comes of it."""
