"""Other looks at the same elements: reshaping, permuting, stretching, cutting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.values import Dim, Value
from genewright.widths.axes import ONE, Axis, Leaf, product
from genewright.widths.reasons import Cause
from genewright.widths.unification import UnificationError, cut, split, unify


@rule("aten.view", "aten._unsafe_view", "aten.reshape", "aten._reshape_alias", "aten.flatten", "aten.unflatten")
def view(step: RuleContext) -> Value:
    """Regroup factors."""
    x: Value = step.values()[0]
    return x.with_dims(regrouped(step, x.dims, step.shape))


def regrouped(step: RuleContext, dims: Sequence[Dim], shape: Sequence[int]) -> list[Dim]:
    """Return the axes after a reshape: the smallest groups of old and new axes that hold as many elements."""
    if math.prod(shape) == 0:
        raise ValueError("a reshape of nothing")
    old = [dim for dim in dims if dim.size != 1 or isinstance(dim.axis, Leaf)]
    ones = [dim for dim in old if dim.size == 1]
    old = [dim for dim in old if dim.size != 1]
    new = [size for size in shape if size != 1]
    out: list[Dim] = []
    while old or new:
        taken, made = [old.pop(0)], [new.pop(0)]
        while (have := math.prod(d.size for d in taken)) != (want := math.prod(made)):
            if have < want:
                taken.append(old.pop(0))
            else:
                made.append(new.pop(0))
        out.extend(_group(step, taken, made))
    filled = iter(out)
    # an axis of length one that is a parameter's (a layer with one unit) stays what it is where that is plain
    return [next(filled) if size != 1 else (ones.pop(0) if ones and len(ones) == 1 else Dim(ONE)) for size in shape]


def _group(step: RuleContext, taken: Sequence[Dim], made: Sequence[int]) -> list[Dim]:
    if len(taken) == len(made) == 1:
        return [taken[0]]
    tags = frozenset(tag for dim in taken for tag in dim.tags)
    rest: Axis = product([dim.axis for dim in taken])
    out: list[Dim] = []
    try:
        for size in made:
            head, rest = split(rest, size)
            out.append(Dim(head, tags))
    except UnificationError:
        for dim in taken:
            step.pin(dim, Cause.RESHAPED)
        return [step.fresh(size, Cause.RESHAPED) for size in made]
    return out


@rule("aten.permute")
def permute(step: RuleContext) -> Value:
    """Put axes in another order."""
    x: Value = step.args["self"]
    return _look(x, [x.dims[int(i)] for i in step.args["dims"]])


@rule("aten.transpose", "aten.swapaxes")
def transpose(step: RuleContext) -> Value:
    """Swap two axes."""
    x: Value = step.args["self"]
    dims = list(x.dims)
    if dims:
        a, b = step.args["dim0"], step.args["dim1"]
        dims[a], dims[b] = dims[b], dims[a]
    return _look(x, dims)


@rule("aten.t", "aten.numpy_T", "aten.mT")
def t(step: RuleContext) -> Value:
    """Reverse the axes of a matrix."""
    x: Value = step.args["self"]
    return _look(x, x.dims[::-1])


@rule("aten.unsqueeze")
def unsqueeze(step: RuleContext) -> Value:
    """Add an axis of length one."""
    x: Value = step.args["self"]
    at = int(step.args["dim"]) % (len(x.dims) + 1)
    return _look(x, [*x.dims[:at], Dim(ONE), *x.dims[at:]])


@rule("aten.squeeze")
def squeeze(step: RuleContext) -> Value:
    """Drop axes of length one."""
    x: Value = step.args["self"]
    chosen = step.args.get("dim")
    if chosen is None:
        gone = set(range(len(x.dims)))
    else:
        gone = {at % max(1, len(x.dims)) for at in ([chosen] if isinstance(chosen, int) else chosen)}
    return _look(x, [dim for at, dim in enumerate(x.dims) if dim.size != 1 or at not in gone])


@rule("aten.expand", "aten.expand_as", "aten.broadcast_to")
def expand(step: RuleContext) -> Value:
    """Stretch axes of length one; the new lengths are whatever they meet."""
    x = step.values()[0]
    added = len(step.shape) - len(x.dims)
    dims = [Dim(Leaf(size) if size != 1 else ONE) for size in step.shape[:added]]
    for dim, size in zip(x.dims, step.shape[added:], strict=True):
        if dim.size == size:
            dims.append(dim)
        else:
            step.pin(dim, Cause.ONE_ENTRY, "stretched")
            dims.append(Dim(Leaf(size)))
    return _look(x, dims)


@rule("aten.slice")
def slice_(step: RuleContext) -> Value:
    """Cut a part out of an axis."""
    x: Value = step.args["self"]
    at = step.position(x)
    dim: Dim = x.dims[at]
    chosen = slice(step.args["start"], step.args["end"], step.args["step"])
    start, stop, stride = chosen.indices(dim.size)
    dims = list(x.dims)
    if stride != 1:
        step.pin(dim, Cause.TAKEN, "every n-th entry")
        dims[at] = step.fresh(step.shape[at], Cause.TAKEN, "every n-th entry")
    elif (start, stop) != (0, dim.size):
        dims[at] = Dim(part(step, dim, start, max(start, stop)), dim.tags)
    return _look(x, dims)


def part(step: RuleContext, dim: Dim, start: int, stop: int) -> Axis:
    """Return entries `start` to `stop` of an axis."""
    try:
        axis = cut(dim.axis, stop)[0] if stop < dim.size else dim.axis
        return cut(axis, start)[1] if start else axis
    except UnificationError:
        step.pin(dim, Cause.CUT_ACROSS, f"{start} to {stop}")
        return step.fresh(stop - start, Cause.CUT_ACROSS, f"{start} to {stop}").axis


@rule("aten.select")
def select(step: RuleContext) -> Value:
    """Take one entry."""
    x: Value = step.args["self"]
    at = step.position(x)
    step.pin(x.dims[at], Cause.TAKEN, f"entry {step.args['index']}")
    return _look(x, [*x.dims[:at], *x.dims[at + 1 :]])


@rule("aten.unbind")
def unbind(step: RuleContext) -> tuple[Value, ...]:
    """Take every entry apart."""
    x: Value = step.args["self"]
    at = step.position(x)
    step.pin(x.dims[at], Cause.TAKEN, "each entry by itself")
    return tuple(_look(x, [*x.dims[:at], *x.dims[at + 1 :]]) for _ in step.outputs)


@rule("aten.split_with_sizes", "aten.tensor_split")
def split_(step: RuleContext) -> tuple[Value, ...]:
    """Cut an axis into parts."""
    return _parts(step)


def _parts(step: RuleContext) -> tuple[Value, ...]:
    x: Value = step.args["self"]
    at = step.position(x)
    out: list[Value] = []
    start = 0
    for ref in step.outputs:
        stop = start + ref.shape[at]
        dims = list(x.dims)
        if stop - start != dims[at].size:
            dims[at] = Dim(part(step, x.dims[at], start, stop), x.dims[at].tags)
        out.append(_look(x, dims))
        start = stop
    return tuple(out)


@rule("aten.split", "aten.chunk", "aten.unsafe_split", "aten.unsafe_chunk")
def split_alike(step: RuleContext) -> tuple[Value, ...]:
    """Cut an axis into parts of one length, which stay so: unit for unit they grow together."""
    out = _parts(step)
    at = step.position(step.args["self"])
    if len({value.shape[at] for value in out}) == 1:
        for value in out[1:]:
            # Where their layouts do not fit, no part can change alone, and the trial says so.
            with suppress(UnificationError):
                unify(out[0].dims[at].axis, value.dims[at].axis)
    return out


@rule("aten.view_as_complex")
def view_as_complex(step: RuleContext) -> Value:
    """Read pairs as complex numbers."""
    x: Value = step.args["self"]
    step.pin(x.dims[-1], Cause.COMPLEX)
    return _look(x, x.dims[:-1])


@rule("aten.view_as_real")
def view_as_real(step: RuleContext) -> Value:
    """Read complex numbers as pairs."""
    x: Value = step.args["self"]
    return _look(x, [*x.dims, step.fresh(2, Cause.COMPLEX)])


@rule("aten.as_strided")
def as_strided(step: RuleContext) -> Value:
    """Look at the memory in another way; only what keeps the shape is understood (a change of memory format)."""
    x: Value = step.args["self"]
    if tuple(step.args["size"]) != x.shape:
        raise ValueError("the memory is looked at in another shape")
    return _look(x, x.dims)


def _look(x: Value, dims: Sequence[Dim]) -> Value:
    return x.with_dims(dims)
