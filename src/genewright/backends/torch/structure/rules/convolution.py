"""Convolutions, in groups too: channels are groups times channels a group."""

from __future__ import annotations

from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]  # no public base class

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.rules.contraction import summed
from genewright.backends.torch.structure.rules.space import slid
from genewright.backends.torch.structure.values import Dim, Value, strongest
from genewright.widths.axes import ONE, product, size_of
from genewright.widths.reasons import Cause
from genewright.widths.unification import split


@rule("aten.convolution", "aten._convolution", "aten.convolution_overrideable")
def convolution(step: RuleContext) -> Value:
    """Read x convolved with weight, in groups."""
    x, weight, bias = step.args["input"], step.args["weight"], step.args["bias"]
    groups = int(step.args["groups"])
    first, second = weight.dims[0], weight.dims[1]
    if groups == 1:
        group, fast = ONE, first.axis
    else:
        group, fast = split(first.axis, groups)
    inside, outside = (fast, second.axis) if step.args["transposed"] else (second.axis, fast)
    if groups > 1 and size_of(inside) == 1:
        step.pin(Dim(inside), Cause.GROUP_CHANNEL)
        inside = ONE
    tags_in, tags_out = (first.tags, second.tags) if step.args["transposed"] else (second.tags, first.tags)
    channels = x.dims[1]
    step.join(channels, Dim(product((group, inside))))
    # join may have refined the axes: from here on they are read as what they have become
    summed(step, x, Dim(inside), weight, Dim(inside, tags_in), (), (Dim(outside, tags_out),))
    if groups > 1 and weight.source == "weight":
        step.mark(first, "group", group)
    out = Dim(product((group, outside)))
    if bias is not None:
        step.mark(bias.dims[0], "carrier")
        step.join(out, bias.dims[0])
    if isinstance(step.layer, _ConvNd):
        step.bind("in_channels", product((group, inside)))
        step.bind("out_channels", out)
        if groups > 1:
            step.bind("groups", group)
    for dim in weight.dims[2:]:
        step.pin(dim, Cause.WINDOW)
    places = [slid(step, dim, size) for dim, size in zip(x.dims[2:], step.shape[2:], strict=True)]
    return Value((x.dims[0], Dim(out.axis), *places), strongest(v.source for v in (x, weight)))
