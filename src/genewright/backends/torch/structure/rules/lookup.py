"""Looking entries up by an index: embeddings, tables of positions, gathers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.record import Ref
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


@rule("aten._embedding_bag", "aten._embedding_bag_forward_only")
def embedding_bag(step: RuleContext) -> tuple[Value, ...]:
    """Look rows up and add up (average, maximise) those of a bag; the columns are written."""
    weight, indices, offsets = (step.args[name] for name in ("weight", "indices", "offsets"))
    step.pin(weight.dims[0], Cause.LOOKED_UP)
    step.mark(weight.dims[1], "writer")
    for dim in (*indices.dims, *offsets.dims):
        step.pin(dim, Cause.INDEX)
    bags, columns = step.fresh(step.shape[0], Cause.COUNT, "bags"), Dim(weight.dims[1].axis)
    out = Value((bags, columns), strongest((weight.source, indices.source)))
    beside = (tuple(step.fresh(n, Cause.INDEX) for n in ref.shape) for ref in step.outputs[1:])
    return (out, *(Value(dims, out.source) for dims in beside))


@rule("aten.index")
def index(step: RuleContext) -> Value:
    """Index some axes by tensors of numbers or by masks; those are pinned, the others stay."""
    x: Value = step.args["self"]
    used, given = _indexed(step, x)
    for at in used:
        step.pin(x.dims[at], Cause.LOOKED_UP)
    rank = max(len(one.dims) for one in given)
    kept_before = used[0] if used == list(range(used[0], used[-1] + 1)) else 0
    shape = step.shape[kept_before : kept_before + rank]
    looked = broadcast(step, given, shape)
    kept = [dim for at, dim in enumerate(x.dims) if at not in used]
    dims = [*kept[:kept_before], *looked.dims, *kept[kept_before:]]
    source = strongest((x.source, *(one.source for one in given)))
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


def _indexed(step: RuleContext, x: Value) -> tuple[list[int], list[Value]]:
    """Return which axes are indexed, and by what; a mask stands for the numbers of the places where it is true.

    A mask lies along as many axes as it has, and how many places it leaves, its values say.
    """
    refs: Sequence[Ref | None] = step.call.args[1]
    used: list[int] = []
    given: list[Value] = []
    at = 0
    for ref, one in zip(refs, cast("list[Value | None]", step.args["indices"]), strict=True):
        if ref is None or one is None:
            at += 1
        elif ref.mask:
            for mine, theirs in zip(x.dims[at:], one.dims, strict=False):
                step.join(mine, theirs)
            used.extend(range(at, at + len(one.dims)))
            at += len(one.dims)
            left = _left(step, refs, x)
            given.append(Value((step.fresh(left, Cause.FROM_VALUES),) if left is not None else one.dims, one.source))
        else:
            used.append(at)
            given.append(one)
            at += 1
    return used, given


def _left(step: RuleContext, refs: Sequence[Ref | None], x: Value) -> int | None:
    """Return how many places the masks leave: the length of the axis that stands for them; None where none does."""
    if step.call.name != "aten.index":
        return None
    taken = sum(len(ref.shape) if ref.mask else 1 for ref in refs if ref is not None)
    before = next(at for at, ref in enumerate(refs) if ref is not None)
    together = all(ref is not None for ref in refs[before:])
    looked = len(step.shape) - (len(x.dims) - taken)
    return step.shape[(before if together else 0) + looked - 1]


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
    written: Value = step.args["values"]
    used, given = _indexed(step, x)
    kept = [dim for at, dim in enumerate(x.dims) if at not in used]
    for at in used:
        step.pin(x.dims[at], Cause.WRITTEN)
    for mine, theirs in zip(reversed(kept), reversed(written.dims), strict=False):
        if mine.size == theirs.size:
            step.join(mine, theirs)
    numbers = [dim for one in given for dim in one.dims]
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


@rule("aten._pack_padded_sequence")
def pack(step: RuleContext) -> tuple[Value, ...]:
    """Lay the sequences of a padded batch one after the other; their features stay."""
    x: Value = step.args["input"]
    for dim in (*x.dims[:2], *step.args["lengths"].dims):
        step.pin(dim, Cause.ORDERED, step.call.name)
    packed = step.fresh(step.shape[0], Cause.FROM_VALUES)
    sizes = tuple(step.fresh(n, Cause.FROM_VALUES) for n in step.outputs[1].shape)
    return Value((packed, *(Dim(dim.axis) for dim in x.dims[2:])), x.source), Value(sizes, "constant")
