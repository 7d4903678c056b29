"""Layers that keras.applications brings along; they have no public name, so they are known by it."""

from __future__ import annotations

from genewright.backends.keras.widths.propagation import RuleContext, Value, named_rule
from genewright.backends.keras.widths.rules.merging import merge
from genewright.backends.keras.widths.rules.pointwise import same

named_rule("StochasticDepth")(same)
named_rule("CustomScaleLayer")(merge)


@named_rule("LayerScale")
def layer_scale(step: RuleContext) -> list[Value]:
    """Multiply by a gain a channel."""
    x = step.inputs[0]
    step.carry("gamma", x.axes[-1])
    step.bind("projection_dim", x.axes[-1])
    return [x]
