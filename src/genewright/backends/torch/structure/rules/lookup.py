"""Looking entries up by an index: embeddings, tables of positions, gathers."""

from __future__ import annotations

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.rules.pointwise import broadcast
from genewright.backends.torch.structure.values import Dim, Value, strongest
from genewright.widths.axes import ONE
from genewright.widths.reasons import Cause


@rule("aten.embedding")
def embedding(step: RuleContext) -> Value:
    """Look rows up; the columns are written."""
    weight, indices = step.args["weight"], step.args["indices"]
    step.pin(weight.dims[0], Cause.LOOKED_UP)
    step.mark(weight.dims[0], "table")
    step.mark(weight.dims[1], "writer")
    step.bind("embedding_dim", weight.dims[1])
    source = strongest((weight.source, indices.source))
    dims = (*indices.dims, weight.dims[1])
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


@rule("aten.index")
def index(step: RuleContext) -> Value:
    """Index some axes by tensors of numbers; those are pinned, the others stay."""
    x: Value = step.args["self"]
    indices: list[Value | None] = list(step.args["indices"])
    indices += [None] * (len(x.dims) - len(indices))
    used = [at for at, one in enumerate(indices) if one is not None]
    for at in used:
        step.pin(x.dims[at], Cause.LOOKED_UP)
    given = [one for one in indices if one is not None]
    rank = max(len(one.dims) for one in given)
    kept_before = used[0] if used == list(range(used[0], used[-1] + 1)) else 0
    shape = step.shape[kept_before : kept_before + rank]
    looked = broadcast(step, given, shape)
    kept = [dim for at, dim in enumerate(x.dims) if at not in used]
    dims = [*kept[:kept_before], *looked.dims, *kept[kept_before:]]
    source = strongest((x.source, *(one.source for one in given)))
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


@rule("aten.index_select")
def index_select(step: RuleContext) -> Value:
    """Take entries of one axis, which pins it."""
    x: Value = step.args["self"]
    at = step.position(x)
    step.pin(x.dims[at], Cause.LOOKED_UP)
    dims = [Dim(dim.axis, dim.tags) for dim in x.dims]
    numbers: Value = step.args["index"]
    dims[at] = Dim(numbers.dims[0].axis) if numbers.dims else Dim(ONE)
    return step.computed(dims)


@rule("aten.gather")
def gather(step: RuleContext) -> Value:
    """Take entries of one axis, others for every place."""
    x: Value = step.args["self"]
    numbers: Value = step.args["index"]
    at = step.position(x)
    step.pin(x.dims[at], Cause.LOOKED_UP)
    dims: list[Dim] = []
    for position, (mine, theirs) in enumerate(zip(x.dims, numbers.dims, strict=True)):
        if position != at and mine.size == theirs.size:
            step.join(mine, theirs)
        elif position != at:
            step.pin(mine, Cause.TAKEN, "a part")
        dims.append(Dim(theirs.axis))
    return step.computed(dims)


@rule("aten.index_put")
def index_put(step: RuleContext) -> Value:
    """Write at some places of indexed axes; those are pinned, the others meet those of what is written."""
    x: Value = step.args["self"]
    indices: list[Value | None] = list(step.args["indices"])
    indices += [None] * (len(x.dims) - len(indices))
    written: Value = step.args["values"]
    kept = [dim for dim, one in zip(x.dims, indices, strict=True) if one is None]
    for dim, one in zip(x.dims, indices, strict=True):
        if one is not None:
            step.pin(dim, Cause.WRITTEN)
    for mine, theirs in zip(reversed(kept), reversed(written.dims), strict=False):
        if mine.size == theirs.size:
            step.join(mine, theirs)
    numbers = [dim for one in indices if one is not None for dim in one.dims]
    for dim in (*numbers, *written.dims[: max(len(written.dims) - len(kept), 0)]):
        step.pin(dim, Cause.INDEX)
    return step.computed([Dim(dim.axis) for dim in x.dims])


@rule("aten.index_add", "aten.index_copy", "aten.scatter", "aten.scatter_add", "aten.scatter_reduce", "aten.index_fill")
def scatter(step: RuleContext) -> Value:
    """Write along one axis, which pins it; the others meet those of what is written."""
    x: Value = step.args["self"]
    at = step.position(x)
    if x.dims:
        step.pin(x.dims[at], Cause.WRITTEN)
    for name in ("index", "src", "source"):
        other = step.args.get(name)
        if isinstance(other, Value) and len(other.dims) == len(x.dims):
            for position, (mine, theirs) in enumerate(zip(x.dims, other.dims, strict=True)):
                if position == at:
                    step.pin(theirs, Cause.WRITTEN)
                elif mine.size == theirs.size:
                    step.join(mine, theirs)
                else:
                    step.pin(mine, Cause.WRITTEN)
                    step.pin(theirs, Cause.WRITTEN)
        elif isinstance(other, Value):
            for dim in other.dims:
                step.pin(dim, Cause.INDEX)
    return step.computed([Dim(dim.axis) for dim in x.dims])


@rule("aten.masked_scatter")
def masked_scatter(step: RuleContext) -> Value:
    """Write where a mask says so: in order, so that every axis of what is written is pinned."""
    x: Value = step.args["self"]
    for dim in (*x.dims, *step.args["mask"].dims, *step.args["source"].dims):
        step.pin(dim, Cause.MASKED)
    return step.computed([Dim(dim.axis) for dim in x.dims])


@rule("aten.histc", "aten.nonzero", "aten.bincount", "aten.unique_consecutive", "aten._unique2", "aten.searchsorted")
def counted(step: RuleContext) -> Value | tuple[Value, ...]:
    """Count or find entries: new lengths come of the values."""
    for value in step.values():
        for dim in value.dims:
            step.pin(dim, Cause.VALUES, step.call.name)
    source = strongest(value.source for value in step.values())
    out = tuple(Value(tuple(step.fresh(n, Cause.FROM_VALUES) for n in ref.shape), source) for ref in step.outputs)
    return out[0] if len(out) == 1 else out
