"""Norms: gains and statistics are carried along with the units; some norms look across units."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]  # no public base class

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.values import Dim, Value, fresh, strongest
from genewright.widths.axes import ONE, product
from genewright.widths.reasons import Cause
from genewright.widths.unification import UnificationError, split


@rule("aten.native_layer_norm", "aten._fused_rms_norm", "aten.rms_norm")
def layer_norm(step: RuleContext) -> tuple[Value, ...] | Value:
    """Normalise over the last axes."""
    x: Value = step.args["input"]
    count = len(step.args["normalized_shape"])
    axes = x.dims[-count:]
    for name in ("weight", "bias"):
        gain: Value | None = step.args.get(name)
        if gain is not None:
            for dim, own in zip(axes, gain.dims, strict=True):
                step.mark(own, "norm")
                step.join(dim, own)
    for position, dim in enumerate(axes):
        if isinstance(step.layer, nn.LayerNorm | nn.RMSNorm):
            step.bind("normalized_shape", dim, position)
    step.norm(product([dim.axis for dim in axes]), "layer", centred="layer_norm" in step.call.name)
    out = Value(tuple(Dim(dim.axis) for dim in x.dims), strongest(v.source for v in step.values()))
    kept = (*(Dim(dim.axis) for dim in x.dims[:-count]), *(Dim(ONE) for _ in axes))
    return (out, *(Value(kept, out.source) for _ in step.outputs[1:]))


@rule(
    "aten.native_batch_norm",
    "aten._native_batch_norm_legit_no_training",
    "aten._native_batch_norm_legit",
    "aten.batch_norm",
    "aten.cudnn_batch_norm",
    "aten._batch_norm_no_update",
)
def batch_norm(step: RuleContext) -> tuple[Value, ...]:
    """Normalise every channel on its own."""
    x: Value = step.args["input"]
    channel = x.dims[1]
    for name in ("weight", "bias", "running_mean", "running_var"):
        carried: Value | None = step.args.get(name)
        if carried is not None:
            step.mark(carried.dims[0], "carrier")
            step.join(channel, carried.dims[0])
    if isinstance(step.layer, _NormBase):
        step.bind("num_features", channel)
    if step.args.get("training"):
        for dim in (x.dims[0], *x.dims[2:]):
            step.mix(dim, Cause.NORMALISED, "a batch norm in training")
    tags = x.source == "weight"
    out = Value(tuple(dim if tags else Dim(dim.axis) for dim in x.dims), strongest(v.source for v in step.values()))
    rest = [
        Value((Dim(channel.axis),) if ref.shape == (channel.size,) else tuple(map(_nothing, ref.shape)), out.source)
        for ref in step.outputs[1:]
    ]
    return (out, *rest)


def _nothing(size: int) -> Dim:
    """Return the axis of statistics that are not there."""
    if size:
        raise ValueError("statistics of another shape than the channels'")
    return fresh(0)


@rule("aten.native_group_norm")
def group_norm(step: RuleContext) -> tuple[Value, ...]:
    """Normalise groups of channels."""
    x: Value = step.args["input"]
    channel = x.dims[1]
    for name in ("weight", "bias"):
        gain: Value | None = step.args.get(name)
        if gain is not None:
            step.mark(gain.dims[0], "norm")
            step.join(channel, gain.dims[0])
    number = int(step.args["group"])
    try:
        group, inside = split(channel.axis, number)
    except UnificationError:  # a group lies in two of the pieces
        step.pin(channel, Cause.GROUPED, str(number))
        group, inside = step.fresh(number, Cause.GROUPED, str(number)).axis, channel.axis
    if isinstance(step.layer, nn.GroupNorm):
        step.bind("num_channels", channel)
        step.bind("num_groups", group)
    step.norm(inside, "group")
    for dim in x.dims[2:]:
        step.mix(dim, Cause.NORMALISED, "a group norm")
    out = Value(tuple(Dim(dim.axis) for dim in x.dims), strongest(v.source for v in step.values()))
    kept = (Dim(x.dims[0].axis), Dim(group))
    return (out, *(Value(kept, out.source) for _ in step.outputs[1:]))
