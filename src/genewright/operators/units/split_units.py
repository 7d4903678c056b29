"""Splitting of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.edits import Edit
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_unit_init import NEW_UNIT_INITS, Growth
from genewright.operators.units.drawn_units import DrawnUnits
from genewright.operators.units.hidden_widths import hidden_units
from genewright.seeding import Noise


@dataclass(frozen=True, kw_only=True)
class SplitUnits(DrawnUnits, Operator):
    """Split units in two: each gets a copy at the end of its layer, and the two share its outgoing weights.

    h' = [h, h[u]] for chosen units u, with columns (1 - s) c for the unit and s c for its copy.

    The copy has the unit's rows, bias, gain and statistics; of a column c it takes a share s in [1/2, 3/4) that the
    seed draws, and the unit keeps (1 - s) c: unequal, so that training tells the two apart. The outputs stay.

    Args:
        rate: Share of the units of each layer, in [0, 1]; ceil(rate * n) of n.
        count: Instead of `rate`, exactly how many units of all that are chosen; those of a count are among those of a
            higher one.
        where: Which layers, by their kernels, and which of their units; hidden units alone.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no hidden unit.
        UnsupportedError: A width cannot grow; the reason is named.
        ExampleError: There is no example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> chosen = gw.where(units={"0": [2, 7]})
        >>> grown = gw.mutate(net, gw.SplitUnits(rate=1.0, where=chosen), seed=1, example=torch.zeros(1, 4))
        >>> grown[0].out_features, torch.equal(grown[0].weight[8:], net[0].weight[[2, 7]])
        (10, True)

    References:
        Wu, Wang and Liu, "Splitting Steepest Descent for Growing Neural Architectures", arXiv:1910.02366, section 2
        (a neuron becomes several, which share its outgoing weight); Chen, Goodfellow, Shlens, "Net2Net",
        arXiv:1511.05641, section 2.3.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"function"})
    follows_units: ClassVar[bool] = True

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        found = hidden_units(self.where, network, "SplitUnits")
        drawn = self.drawn([(knob.name, units) for knob, units in found], noise)
        for (knob, _), units in zip(found, drawn, strict=True):
            if not units:
                continue
            size = knob.size + len(units)
            attributes = network.structure.widths.resolve_attributes(knob, size)
            index = Index.of([*range(knob.size), *units])
            grown = Growth(knob, index, Index.of(np.arange(knob.size, size)), attributes)
            yield from NEW_UNIT_INITS["split"](grown, network, noise)
