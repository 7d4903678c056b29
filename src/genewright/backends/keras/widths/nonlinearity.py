"""Which nonlinearity stands between the last weights and a norm: whether the mean of units is still so at the norm.

Where a layer's kernel makes units, a new one whose kernel is the mean of the others' is their mean. Sums, views and
means over places keep that; an activation, a product of two tensors and gains that differ from unit to unit do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from genewright.backends.keras.library import class_of, keras
from genewright.backends.keras.widths.rule_context import RuleContext, Value
from genewright.widths.axes import leaves
from genewright.widths.reasons import Cause, Reason

AFFINE: Final = {
    # layers
    "Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise",
    "GaussianDropout", "AlphaDropout", "ActivityRegularization", "StochasticDepth", "Masking", "Rescaling",
    "Add", "Subtract", "Average", "Concatenate", "Reshape", "Flatten", "Permute", "RepeatVector", "Attention",
    "AdditiveAttention", *(f"{kind}{n}D" for n in (1, 2, 3) for kind in (
        "AveragePooling", "GlobalAveragePooling", "AdaptiveAveragePooling", "ZeroPadding", "Cropping", "UpSampling")),
    # operations
    "Negative", "Cast", "StopGradient", "Mean", "Sum", "Transpose", "ExpandDims", "Squeeze", "GetItem", "Matmul",
    "Einsum",
}  # fmt: skip
"""Layers of Keras and operations of keras.ops that keep the mean of units."""

AFFINE_BY_A_NUMBER: Final = {"Multiply", "Divide", "TrueDivide"}
"""Those that keep it where they receive one tensor."""

PRODUCTS: Final = {"Attention", "AdditiveAttention", "Matmul", "Einsum"}
"""Those whose outputs have the units of one of their inputs: sums of these, weighted by what the others say."""


def after_nonlinearity(step: RuleContext, values: Sequence[Value], *, written: bool) -> list[Value]:
    """Return what a step outputs, with the nonlinearity that its units have been through since weights made them.

    Args:
        step: The step, after its rule.
        values: What the rule has returned.
        written: Whether weights of the layer have made the units.
    """
    name = _nonlinearity_of(step, written=written)
    if name:
        reason = step.reason(Cause.NONLINEAR, name)
        return [replace(value, nonlinearity=reason) for value in values]
    return [replace(value, nonlinearity=None if written else _taken_along(step, value)) for value in values]


def _nonlinearity_of(step: RuleContext, *, written: bool) -> str:
    """Return the name of the nonlinearity that this step applies to its units, or ""."""
    layer = step.layer.layer if isinstance(step.layer, keras.layers.TimeDistributed) else step.layer
    kind = str(class_of(layer).__name__)
    if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
        return kind
    function: Any = getattr(layer, "activation", None)
    name = str(getattr(function, "__name__", type(function).__name__))
    if function is not None and name != "linear":
        return name
    affine = written or kind in AFFINE or isinstance(layer, keras.layers.Activation)
    return "" if affine or (kind in AFFINE_BY_A_NUMBER and len(step.inputs) == 1) else kind


def _taken_along(step: RuleContext, value: Value) -> Reason | None:
    """Return the nonlinearity before an input whose units are those of this output."""
    here = {id(leaf) for axis in value.axes for leaf in leaves(axis)}
    product = class_of(step.layer).__name__ in PRODUCTS
    for given in step.inputs:
        if given.nonlinearity is not None and (not product or any(id(leaf) in here for leaf in leaves(given.axes[-1]))):
            return given.nonlinearity
    return None
