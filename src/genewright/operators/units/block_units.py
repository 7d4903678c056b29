"""Blocking of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from genewright.edits import Edit, Perturb
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.units.drawn_units import DrawnUnits
from genewright.operators.units.hidden_widths import ZERO, hidden_units, silenced
from genewright.operators.units.own_tensors import unit_rows_of
from genewright.part import along
from genewright.seeding import Noise
from genewright.settings import check_choice

SIDES = ("out", "in")


@dataclass(frozen=True, kw_only=True)
class BlockUnits(DrawnUnits, Operator):
    """Block the effect of units on the layers that follow, or what comes into them.

    column' = 0 in every reader of a chosen unit, or row' = 0 and bias' = 0 in the unit's own layer.

    | side | becomes zero | what follows |
    |---|---|---|
    | "out" | the unit's columns in every layer that reads it | outputs do not depend on the unit at all |
    | "in" | the unit's rows and its bias | its pre-activation is 0: it puts out phi(0), or what a norm makes of it |

    The two agree where phi(0) = 0 and no norm stands between (ReLU, tanh); behind a sigmoid the "in" side leaves 1/2.

    Args:
        side: Which weights; "out" as the operator is defined, "in" as most programs have it.
        rate: Share of the units of each layer, in [0, 1]; ceil(rate * n) of n.
        count: Instead of `rate`, exactly how many units of all that are chosen; those of a count are among those of a
            higher one.
        where: Which layers and units; all by default. "out" sees on the example who reads a unit, and acts on hidden
            units alone; "in" needs no example.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no units.
        UnsupportedError: A reader is frozen.
        ExampleError: side="out" without an example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> mutant = gw.mutate(net, gw.BlockUnits(count=3), seed=1, example=torch.zeros(1, 4))
        >>> int((mutant[2].weight == 0).all(dim=0).sum())
        3

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B (Neuron
        Effect Block: the outgoing weights are set to zero).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    follows_units: ClassVar[bool] = True
    version: ClassVar[int] = 2

    side: Literal["out", "in"] = "out"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "side", self.side, SIDES)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        yield from self._silenced(networks[0], noise) if self.side == "out" else self._starved(networks[0], noise)

    def _silenced(self, network: Network, noise: Noise) -> Iterator[Edit]:
        found = hidden_units(self.where, network, "BlockUnits")
        drawn = self.drawn([(knob.name, units) for knob, units in found], noise)
        for (knob, _), units in zip(found, drawn, strict=True):
            if units or self.count is None:
                yield from silenced(knob, units, self.where, network, "BlockUnits")

    def _starved(self, network: Network, noise: Noise) -> Iterator[Edit]:
        found = unit_rows_of(self.where, network, "BlockUnits")
        drawn = self.drawn([(f"{rows.layer}/{len(rows.units)}", rows.units) for rows in found], noise)
        for rows, units in zip(found, drawn, strict=True):
            for tensor in rows.tensors if units or self.count is None else ():
                part = along(tensor.unit_axis, units)
                yield Perturb(tensor=tensor.name, change=ZERO, stream=tensor.name, part=part)
