"""Tensors that the forward makes itself: their lengths are whatever they meet."""

from __future__ import annotations

from genewright.backends.torch.structure.propagation import RuleContext, rule
from genewright.backends.torch.structure.values import Dim, Value
from genewright.widths.axes import ONE, Leaf


@rule(
    "aten.empty",
    "aten.zeros",
    "aten.ones",
    "aten.full",
    "aten.arange",
    "aten.linspace",
    "aten.eye",
    "aten.scalar_tensor",
    "aten.rand",
    "aten.randn",
    "aten.new_zeros",
    "aten.new_ones",
    "aten.new_full",
    "aten.new_empty",
    "aten.new_empty_strided",
    "aten.empty_strided",
    "aten._efficientzerotensor",
)
def made(step: RuleContext) -> Value:
    """Make a tensor of some shape."""
    return Value(tuple(Dim(Leaf(size) if size != 1 else ONE) for size in step.shape), "constant")


@rule("aten.zeros_like", "aten.ones_like", "aten.full_like", "aten.empty_like", "aten.rand_like", "aten.randn_like")
def like(step: RuleContext) -> Value:
    """Make a tensor of another's shape."""
    return Value(tuple(Dim(dim.axis) for dim in step.values()[0].dims), "constant")
