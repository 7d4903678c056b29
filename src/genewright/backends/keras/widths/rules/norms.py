"""Norms: gains and statistics are carried along; some look across units."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.widths.axes import product
from genewright.widths.reasons import Cause
from genewright.widths.unification import split


@rule(keras.layers.BatchNormalization)
def batch(step: RuleContext) -> list[Value]:
    """Normalise every channel on its own."""
    x = step.inputs[0]
    for attribute in ("gamma", "beta", "moving_mean", "moving_variance"):
        step.carry(attribute, x.axes[step.places(x)[0]])
    return [x]


@rule(keras.layers.LayerNormalization, keras.layers.RMSNormalization)
def layer(step: RuleContext) -> list[Value]:
    """Normalise over some axes."""
    x = step.inputs[0]
    places = step.places(x)
    for attribute in ("gamma", "beta", "scale"):
        for position, place in enumerate(places):
            if attribute in step.tensors:
                step.carry(attribute, x.axes[place], position, "norm")
    centred = not isinstance(step.layer, keras.layers.RMSNormalization)
    step.norm("layer", product([x.axes[p] for p in places]), centred=centred)
    return [x]


@rule(keras.layers.GroupNormalization)
def group(step: RuleContext) -> list[Value]:
    """Normalise groups of channels."""
    x = step.inputs[0]
    channels = x.axes[step.places(x)[0]]
    for attribute in ("gamma", "beta"):
        if attribute in step.tensors:
            step.carry(attribute, channels, -1, "norm")
    for place, axis in enumerate(x.axes):
        if place and place not in step.places(x):
            step.mix(axis, Cause.NORMALISED, "GroupNormalization")
    groups, inside = split(channels, int(step.layer.groups))
    step.bind("groups", groups)
    step.norm("group", inside, centred=True)
    return [x]


@rule(keras.layers.UnitNormalization)
def unit(step: RuleContext) -> list[Value]:
    """Divide by the length along some axes."""
    x = step.inputs[0]
    for place in step.places(x):
        step.mix(x.axes[place], Cause.NORMALISED, "UnitNormalization")
    return [x]
