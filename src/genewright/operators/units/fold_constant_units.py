"""Folding of constant units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit
from genewright.errors import SelectionError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.compensate import constant_units, foldable
from genewright.operators.units.hidden_widths import hidden_units
from genewright.operators.units.removal import without_units
from genewright.seeding import Noise
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class FoldConstantUnits(Operator):
    """Fold units whose value is the same for every input into the biases of what reads them, and remove them.

    bias' = bias + value * column in every reader of a unit whose value is constant.

    A unit is constant, whatever the data, where its rows are zero: it puts out phi(b), or what a norm and phi make of
    b. bias' = bias + value * column in every reader, with the value seen on the example; the outputs stay. A unit whose
    value is not zero stays where a reader has no bias, or is a convolution with zeros around the image, whose edges see
    less of it; one unit of a layer always stays.

    Args:
        where: Which layers, by their kernels, and which of their units; hidden units alone.

    Raises:
        SelectionError: No chosen hidden unit is constant and can be folded.
        UnsupportedError: A width cannot shrink; the reason is named.
        ExampleError: There is no example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Sigmoid(), torch.nn.Linear(8, 2)).double()
        >>> with torch.no_grad():
        ...     net[0].weight[[2, 5]] = 0.0
        >>> data = torch.randn(16, 4, dtype=torch.float64)
        >>> slim = gw.mutate(net, gw.FoldConstantUnits(), seed=1, example=data)
        >>> slim[0].out_features, torch.allclose(slim(data), net(data), rtol=1e-9)
        (6, True)

    References:
        Serra, Kumar and Ramalingam, "Lossless Compression of Deep Neural Networks", arXiv:2001.00218, section 4 (stable
        and constant units).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"function"})
    follows_units: ClassVar[bool] = True

    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        found = hidden_units(self.where, network, "FoldConstantUnits")
        gone = {
            knob: foldable(knob, constant_units(knob, units, network), network, frozen=self.where.frozen)[
                : knob.size - 1
            ]
            for knob, units in found
        }
        if not any(gone.values()):
            raise SelectionError(
                "FoldConstantUnits: no chosen hidden unit has rows of zeros and readers whose biases can take it."
            )
        yield from without_units(gone, network)
