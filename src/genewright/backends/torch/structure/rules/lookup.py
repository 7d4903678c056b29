"""Looking entries up by an index: embeddings, tables of positions, gathers."""

from __future__ import annotations

from genewright.backends.torch.structure.reading import Step, rule
from genewright.backends.torch.structure.rules.pointwise import broadcast
from genewright.backends.torch.structure.values import Dim, Value, strongest


@rule("aten.embedding")
def embedding(step: Step) -> Value:
    """Look rows up; the columns are written."""
    weight, indices = step.args["weight"], step.args["indices"]
    step.pin(weight.dims[0], "its rows are looked up by number")
    step.mark(weight.dims[1], "writer")
    step.bind("embedding_dim", weight.dims[1])
    source = strongest((weight.source, indices.source))
    dims = (*indices.dims, weight.dims[1])
    return Value(tuple(dim if source == "weight" else Dim(dim.axis) for dim in dims), source)


@rule("aten.index")
def index(step: Step) -> Value:
    """Index some axes by tensors of numbers; those are pinned, the others stay."""
    x: Value = step.args["self"]
    indices: list[Value | None] = list(step.args["indices"])
    indices += [None] * (len(x.dims) - len(indices))
    used = [at for at, one in enumerate(indices) if one is not None]
    for at in used:
        step.pin(x.dims[at], "its entries are looked up by number")
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
def index_select(step: Step) -> Value:
    """Take entries of one axis, which pins it."""
    x: Value = step.args["self"]
    at = step.args["dim"] % len(x.dims)
    step.pin(x.dims[at], "its entries are looked up by number")
    dims = [Dim(dim.axis, dim.tags) for dim in x.dims]
    dims[at] = step.fresh(step.shape[at], "it counts what is looked up")
    return step.computed(dims)


@rule("aten.gather")
def gather(step: Step) -> Value:
    """Take entries of one axis, others for every place."""
    x: Value = step.args["self"]
    numbers: Value = step.args["index"]
    at = step.args["dim"] % len(x.dims)
    step.pin(x.dims[at], "its entries are looked up by number")
    dims: list[Dim] = []
    for position, (mine, theirs) in enumerate(zip(x.dims, numbers.dims, strict=True)):
        if position != at and mine.size == theirs.size:
            step.join(mine, theirs)
        elif position != at:
            step.pin(mine, "a part of it is gathered")
        dims.append(Dim(theirs.axis))
    return step.computed(dims)
