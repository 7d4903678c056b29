"""Convolutions: in groups, by channel, transposed and separable ones."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.backends.keras.widths.rules.activation import activated
from genewright.widths.axes import ONE, Axis, product, size_of
from genewright.widths.reasons import Cause
from genewright.widths.unification import split


@rule(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
def convolution(step: RuleContext) -> list[Value]:
    """Read a kernel (*window, in / groups, out)."""
    kernel = step.parameter("kernel")
    if kernel is None or "lora_kernel_a" in step.tensors:
        return step.pinned(Cause.NOT_PLAIN, "kernel, which LoRA or packing adds to,")
    x = step.inputs[0]
    channels, out = x.axes[step.channel(x)], kernel[-1]
    for axis in kernel[:-2]:
        step.pin(axis, Cause.WINDOW)
    if step.layer.groups == 1:
        step.mark("kernel", len(kernel) - 2, "reader")
        step.mark("kernel", len(kernel) - 1, "writer")
        step.join(channels, kernel[-2])
    else:
        group, inside = split(out, step.layer.groups)
        own: Axis = kernel[-2]
        if size_of(own) == 1:
            step.pin(own, Cause.GROUP_CHANNEL)
            own = ONE
        step.join(channels, product((group, own)))
        if size_of(own) > 1:
            step.mark("kernel", len(kernel) - 2, "reader")
        step.mark("kernel", len(kernel) - 1, "group", group)
        if size_of(inside) > 1:
            step.mark("kernel", len(kernel) - 1, "writer", inside)
        step.bind("groups", group)
    step.carry("bias", out)
    step.bind("filters", out)
    return activated(step, step.shaped(x, out))


@rule(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
def depthwise(step: RuleContext) -> list[Value]:
    """Read a kernel (*window, channels, multiplier): every channel on its own."""
    x = step.inputs[0]
    out = _by_channel(step, x.axes[step.channel(x)], "kernel")
    step.carry("bias", out)
    return activated(step, step.shaped(x, out))


@rule(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
def separable(step: RuleContext) -> list[Value]:
    """Read a depthwise convolution and one of window 1 behind it."""
    x = step.inputs[0]
    middle = _by_channel(step, x.axes[step.channel(x)], "depthwise_kernel")
    kernel = step.parameter("pointwise_kernel") or []
    for axis in kernel[:-2]:
        step.pin(axis, Cause.WINDOW)
    step.mark("pointwise_kernel", len(kernel) - 2, "reader")
    step.mark("pointwise_kernel", len(kernel) - 1, "writer")
    step.join(middle, kernel[-2])
    step.carry("bias", kernel[-1])
    step.bind("filters", kernel[-1])
    return activated(step, step.shaped(x, kernel[-1]))


@rule(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
def transposed(step: RuleContext) -> list[Value]:
    """Read a kernel (*window, out, in)."""
    kernel = step.parameter("kernel") or []
    x = step.inputs[0]
    for axis in kernel[:-2]:
        step.pin(axis, Cause.WINDOW)
    step.mark("kernel", len(kernel) - 1, "reader")
    step.mark("kernel", len(kernel) - 2, "writer")
    step.join(x.axes[step.channel(x)], kernel[-1])
    step.carry("bias", kernel[-2])
    step.bind("filters", kernel[-2])
    return activated(step, step.shaped(x, kernel[-2]))


def _by_channel(step: RuleContext, channels: Axis, attribute: str) -> Axis:
    kernel = step.parameter(attribute) or []
    for axis in kernel[:-2]:
        step.pin(axis, Cause.WINDOW)
    step.join(channels, kernel[-2])
    step.mark(attribute, len(kernel) - 2, "group")
    multiplier = kernel[-1]
    if size_of(multiplier) == 1:
        step.pin(multiplier, Cause.GROUP_CHANNEL)
        return kernel[-2]
    step.pin(multiplier, Cause.DEPTH_MULTIPLIER)
    return product((kernel[-2], multiplier))
