"""What each family of operations says about axes; importing this package registers all rules."""

from genewright.backends.torch.structure.rules import (
    concatenation,
    contraction,
    convolution,
    creation,
    lookup,
    normalisation,
    pointwise,
    reduction,
    space,
    views,
)

__all__ = [
    "concatenation",
    "contraction",
    "convolution",
    "creation",
    "lookup",
    "normalisation",
    "pointwise",
    "reduction",
    "space",
    "views",
]
