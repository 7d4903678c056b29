"""What each family of operations says about axes; importing this package registers all rules."""

from genewright.backends.torch.structure.rules import (
    contraction,
    convolution,
    creation,
    joining,
    lookup,
    normalisation,
    pointwise,
    reduction,
    space,
    views,
)

__all__ = [
    "contraction",
    "convolution",
    "creation",
    "joining",
    "lookup",
    "normalisation",
    "pointwise",
    "reduction",
    "space",
    "views",
]
