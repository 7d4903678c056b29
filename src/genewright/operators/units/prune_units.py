"""Pruning of units, with one budget for all layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from genewright.edits import Edit
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.importance import choices
from genewright.operators.units.hidden_widths import hidden_units
from genewright.operators.units.prune_budget import first_that_reach
from genewright.operators.units.ranking import ranked
from genewright.operators.units.removal import without_units
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction
from genewright.where import EVERYTHING, WhereSetting, as_where
from genewright.widths.knob import Knob

SCOPES = ("layer", "all")
TARGETS = ("units", "parameters", "macs")
REPAIRS = ("none", "least_squares")


@dataclass(frozen=True, kw_only=True)
class PruneUnits(Operator):
    """Remove the units that matter least, over all layers, until a share of the network is gone.

    h' = h[importance > t] in every layer, with the threshold t at which the asked share is gone.

    Units leave with all that belongs to them (structured pruning, as `Narrow` does it for one layer): copies and
    constants are taken over by the readers exactly, and what is left is refitted with ``repair="least_squares"``. Every
    layer keeps a unit.

    | scope | which go first |
    |---|---|
    | "layer" | of each layer the same share: by the rank within the layer |
    | "all" | by the importance over the mean importance of the layer's units, over all layers: some lose more |

    Args:
        fraction: How much of the target goes, in [0, 1).
        target: "units": of the chosen units that share, rounded; in scope "layer" of each layer. "parameters", "macs":
            the fewest units with which at least that share of all the network's parameters, or of its multiplications
            on the example, is gone.
        by: What says how much a unit matters, as in `Narrow`: "magnitude", "l1", "l2", "batchnorm", "random", "last",
            or a measure of `gw.neurons` on the example. The recipe holds the units, so that a replay needs no data.
        scope: See above.
        repair: "least_squares" refits the readers on the example, a batch of real data, for each layer on what the
            network computes before any is pruned; a replay then needs that batch.
        where: Which layers, by their kernels, and which of their units may go; hidden units alone.

    Raises:
        SettingError: A setting is out of its range, or so much cannot go.
        SelectionError: `where` chooses no hidden unit.
        UnsupportedError: None of the chosen widths can shrink, or `by` does not fit one.
        ExampleError: There is no example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> slim = gw.mutate(net, gw.PruneUnits(fraction=0.5), seed=1, example=torch.zeros(1, 4))
        >>> slim[0].out_features
        4

    References:
        Li et al., "Pruning Filters for Efficient ConvNets", arXiv:1608.08710, section 3; Molchanov et al., "Pruning
        Convolutional Neural Networks for Resource Efficient Inference", arXiv:1611.06440, section 2.2 (layer-wise
        normalised importance, global ranking); Fang et al., "DepGraph", arXiv:2301.12900 (groups).
    """

    follows_units: ClassVar[bool] = True

    fraction: float = field(default=0.25, kw_only=False)
    target: Literal["units", "parameters", "macs"] = "units"
    by: str = "magnitude"
    scope: Literal["layer", "all"] = "layer"
    repair: Literal["none", "least_squares"] = "none"
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_fraction(self, "fraction", self.fraction)
        object.__setattr__(self, "fraction", float(self.fraction))
        if self.fraction == 1:
            raise SettingError("PruneUnits: fraction is below 1, for every layer keeps a unit; received 1.")
        check_choice(self, "target", self.target, TARGETS)
        check_choice(self, "by", self.by, choices())
        check_choice(self, "scope", self.scope, SCOPES)
        check_choice(self, "repair", self.repair, REPAIRS)
        object.__setattr__(self, "where", as_where(self.where))

    def fits(self) -> bool:
        return self.repair == "least_squares"

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        found = _shrinking(hidden_units(self.where, network, "PruneUnits"), network)
        order = ranked(found, self.by, network, noise, "PruneUnits", together=self.scope == "all", staying=1)
        if self.target != "units":
            gone = first_that_reach(self.fraction, self.target, order, network)
        elif self.scope == "all":
            gone = order[: round(self.fraction * sum(len(units) for _, units in found))]
        else:
            gone = [
                one
                for knob, units in found
                for one in [c for c in order if c.knob is knob][: round(self.fraction * len(units))]
            ]
        if not gone:
            raise SettingError(f"PruneUnits: fraction={self.fraction:g} of these units removes none. Raise it.")
        chosen = {knob: sorted(one.unit for one in gone if one.knob is knob) for knob, _ in found}
        yield from without_units(chosen, network, repair=self.repair)


def _shrinking(found: list[tuple[Knob, tuple[int, ...]]], network: Network) -> list[tuple[Knob, tuple[int, ...]]]:
    """Return the widths that can shrink, without a second one in any axis.

    Raises:
        UnsupportedError: There is none; the first reason is named.
    """
    out: list[tuple[Knob, tuple[int, ...]]] = []
    taken: set[tuple[str, int]] = set()
    refusal: UnsupportedError | None = None
    for knob, units in found:
        axes = {(place.tensor, place.axis) for place in knob.places}
        if knob.size < 2 or taken & axes:
            continue
        try:
            network.structure.widths.resolve_attributes(knob, knob.size - 1)
        except UnsupportedError as error:
            refusal = refusal or error
            continue
        taken |= axes
        out.append((knob, units))
    if out:
        return out
    raise UnsupportedError(
        "PruneUnits: every chosen layer has one unit, which stays." if refusal is None else str(refusal)
    ) from refusal
