"""Operations along space (and what else is slid over): pooling, resizing, padding, shuffling pixels."""

from __future__ import annotations

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.values import Dim, Value
from genewright.widths.axes import leaves, product, total
from genewright.widths.reasons import Cause
from genewright.widths.unification import cut, split


def slid(step: RuleContext, dim: Dim, size: int) -> Dim:
    """Return the axis after a window slid along it: another one; a width (channels under a 1-D window) is mixed."""
    free = [leaf for leaf in leaves(dim.axis) if not leaf.pins]
    if not free:
        return step.fresh(size, Cause.SPACE)
    step.mix(dim, Cause.SLID, step.call.name)
    if size == dim.size:
        return Dim(dim.axis)
    step.pin(dim, Cause.SLID, step.call.name)
    return step.fresh(size, Cause.SPACE)


def _over(count: int, *names: str) -> None:
    @rule(*names)
    def spatial(step: RuleContext) -> Value | tuple[Value, ...]:
        x = step.values()[0]
        kept = [Dim(dim.axis) for dim in x.dims[:-count]]
        places = [slid(step, dim, size) for dim, size in zip(x.dims[-count:], step.shape[-count:], strict=True)]
        out = step.computed([*kept, *places])
        return out if len(step.outputs) == 1 else tuple(out for _ in step.outputs)

    del spatial


_over(
    1,
    "aten.avg_pool1d",
    "aten.max_pool1d",
    "aten.adaptive_avg_pool1d",
    "aten.upsample_nearest1d",
    "aten.upsample_linear1d",
    "aten.reflection_pad1d",
    "aten.replication_pad1d",
)
_over(
    2,
    "aten.max_pool2d_with_indices",
    "aten.max_pool2d",
    "aten.avg_pool2d",
    "aten._adaptive_avg_pool2d",
    "aten.adaptive_avg_pool2d",
    "aten.adaptive_max_pool2d",
    "aten.upsample_nearest2d",
    "aten._upsample_nearest_exact2d",
    "aten.upsample_bilinear2d",
    "aten._upsample_bilinear2d_aa",
    "aten.upsample_bicubic2d",
    "aten._upsample_bicubic2d_aa",
    "aten.reflection_pad2d",
    "aten.replication_pad2d",
)
_over(
    3,
    "aten.max_pool3d_with_indices",
    "aten.avg_pool3d",
    "aten._adaptive_avg_pool3d",
    "aten.adaptive_max_pool3d",
    "aten.upsample_nearest3d",
    "aten.upsample_trilinear3d",
    "aten.replication_pad3d",
    "aten.reflection_pad3d",
)


@rule("aten.grid_sampler_2d", "aten.grid_sampler_3d")
def sampled(step: RuleContext) -> Value:
    """Read n c (places), n (new places) coordinates -> n c (new places)."""
    x, grid = step.args["input"], step.args["grid"]
    places = x.dims[2:]
    for dim in (*places, grid.dims[-1]):
        step.pin(dim, Cause.COORDINATES, step.call.name)
    batch = step.join(x.dims[0], grid.dims[0])
    return step.computed([Dim(batch.axis), Dim(x.dims[1].axis), *(Dim(dim.axis) for dim in grid.dims[1:-1])])


@rule("aten.constant_pad_nd")
def pad(step: RuleContext) -> Value:
    """Lay constants before and after; negative numbers cut."""
    x: Value = step.args["self"]
    amounts = list(step.args["pad"])
    dims = list(x.dims)
    for position in range(len(amounts) // 2):
        before, after = amounts[2 * position], amounts[2 * position + 1]
        at = len(dims) - 1 - position
        dim = dims[at]
        if before == after == 0:
            continue
        if all(leaf.pins for leaf in leaves(dim.axis)):
            dims[at] = step.fresh(step.shape[at], Cause.PADDING)
            continue
        axis = dim.axis
        if before < 0:
            axis = cut(axis, -before)[1]
        if after < 0:
            axis = cut(axis, dim.size + min(before, 0) + after)[0]
        ends = [step.fresh(max(n, 0), Cause.PADDING).axis for n in (before, after)]
        dims[at] = Dim(total([ends[0], axis, ends[1]]), dim.tags)
    return Value(tuple(dims), x.source)


@rule("aten.pixel_shuffle")
def pixel_shuffle(step: RuleContext) -> Value:
    """Read (c r r) h w -> c (h r) (w r)."""
    x: Value = step.args["self"]
    channels, window = split(x.dims[-3].axis, step.shape[-3])
    step.pin(Dim(window), Cause.WINDOW)
    places = [slid(step, d, n) for d, n in zip(x.dims[-2:], step.shape[-2:], strict=True)]
    return step.computed([*(Dim(d.axis) for d in x.dims[:-3]), Dim(channels), *places])


@rule("aten.pixel_unshuffle")
def pixel_unshuffle(step: RuleContext) -> Value:
    """Read c (h r) (w r) -> (c r r) h w."""
    x: Value = step.args["self"]
    window = step.fresh(int(step.args["downscale_factor"]) ** 2, Cause.WINDOW).axis
    places = [slid(step, d, n) for d, n in zip(x.dims[-2:], step.shape[-2:], strict=True)]
    return step.computed([*(Dim(d.axis) for d in x.dims[:-3]), Dim(product((x.dims[-3].axis, window))), *places])


@rule("aten.im2col")
def im2col(step: RuleContext) -> Value:
    """Read c h w -> (c window) positions."""
    x: Value = step.args["self"]
    for dim in x.dims[-2:]:
        step.pin(dim, Cause.SLID, "a window")
    height, width = step.args["kernel_size"]
    window = step.fresh(height * width, Cause.WINDOW).axis
    place = step.fresh(step.shape[-1], Cause.SPACE)
    return step.computed([*(Dim(d.axis) for d in x.dims[:-3]), Dim(product((x.dims[-3].axis, window))), place])


@rule("aten.col2im")
def col2im(step: RuleContext) -> Value:
    """Read (c window) positions -> c h w."""
    x: Value = step.args["self"]
    step.pin(x.dims[-1], Cause.WINDOW)
    channels, window = split(x.dims[-2].axis, step.shape[-3])
    step.pin(Dim(window), Cause.WINDOW)
    places = [step.fresh(n, Cause.SPACE) for n in step.shape[-2:]]
    return step.computed([*(Dim(d.axis) for d in x.dims[:-2]), Dim(channels), *places])


@rule("aten.unfold")
def unfold(step: RuleContext) -> Value:
    """Slide a window along one axis, and lay its content last."""
    x: Value = step.args["self"]
    at = int(step.args["dimension"]) % len(x.dims)
    step.pin(x.dims[at], Cause.SLID, "a window")
    dims = [Dim(d.axis) for d in x.dims]
    dims[at] = step.fresh(step.shape[at], Cause.SPACE)
    return step.computed([*dims, step.fresh(step.shape[-1], Cause.WINDOW)])


@rule("aten.roll", "aten.flip")
def move(step: RuleContext) -> Value:
    """Move entries along some axes, which pins those."""
    x: Value = step.args["self"]
    chosen = step.args["dims"] or range(len(x.dims))
    for at in [chosen] if isinstance(chosen, int) else chosen:
        step.pin(x.dims[at], Cause.ORDERED, step.call.name)
    return Value(x.dims, x.source)
