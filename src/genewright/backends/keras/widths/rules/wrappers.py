"""Layers that hold another layer: what that one says, seen from outside."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph
from genewright.backends.keras.widths.propagation import RuleContext, Value, outputs_of, rule
from genewright.widths.axes import total
from genewright.widths.reasons import Cause


@rule(keras.layers.TimeDistributed)
def distributed(step: RuleContext) -> list[Value]:
    """Apply a layer to every entry along the axis behind the batch."""
    inner, x = step.layer.layer, step.inputs[0]
    if is_graph(inner):
        return step.pinned(Cause.NESTED, "a TimeDistributed")
    shapes = [(shape[0], *shape[2:]) for shape in step.shapes]
    made = outputs_of(step.inside(inner, "layer.config", [Value((x.axes[0], *x.axes[2:]))], shapes))
    return [Value((value.axes[0], x.axes[1], *value.axes[1:])) for value in made]


@rule(keras.layers.Bidirectional)
def bidirectional(step: RuleContext) -> list[Value]:
    """Run a recurrent layer in both directions, and put the two outputs together.

    Keras takes both to be equally wide, so one width stands in both.
    """
    layer = step.layer
    if layer.return_state or len(step.inputs) > 1:
        return step.pinned(Cause.RECURRENT, "of both directions is handed on")
    shape = step.shapes[0]
    if layer.merge_mode == "concat":
        shape = (*shape[:-1], (shape[-1] or 0) // 2)
    ways = ((layer.forward_layer, "layer.config"), (layer.backward_layer, "backward_layer.config"))
    there, back = (outputs_of(step.inside(inner, key, step.inputs, [shape]))[0] for inner, key in ways)
    for one, other in zip(there.axes, back.axes, strict=True):
        step.join(one, other)
    if layer.merge_mode == "concat":
        return [Value((*there.axes[:-1], total([there.axes[-1], back.axes[-1]])))]
    return [there, back] if layer.merge_mode is None else [there]


@rule(keras.layers.SpectralNormalization)
def spectral(step: RuleContext) -> list[Value]:
    """Divide a kernel by its largest singular value, which every unit has a part in."""
    return step.pinned(Cause.SPECTRAL)
