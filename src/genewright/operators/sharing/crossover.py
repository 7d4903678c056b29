"""Crossover of two networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Copy, Edit, Mix
from genewright.errors import SettingError
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operator import Operator
from genewright.operators.sharing.align_to import BY, matched
from genewright.operators.sharing.arc import arc
from genewright.operators.sharing.drawn_units import drawn_positions
from genewright.operators.sharing.forms import OTHER_SIZES, counterpart, in_common, no_position
from genewright.operators.sharing.matching import positions
from genewright.part import at_positions
from genewright.references import MATE, DonorSetting, as_donor
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction
from genewright.tensor import FLOATS
from genewright.where import EVERYTHING, Selected, WhereSetting, as_where

KINDS = ("unit", "uniform", "layer", "blend", "slerp")
DRAWN = ("unit", "uniform", "layer")

Sources = Mapping[tuple[str, int], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Crossover(Operator):
    """Make a child of two networks of the same layers.

    w' = m v + (1 - m) w, of this network's elements w and the other's v (after `align`, those of the units that match):

    | kind | the child has |
    |---|---|
    | "unit" | v for whole units (a feature, a cell, a head, a row), each drawn with probability `rate` |
    | "uniform" | v for each element, drawn with probability `rate` |
    | "layer" | v for whole layers, each drawn with probability `rate` |
    | "blend" | (1 - t) w + t v |
    | "slerp" | sin((1 - t) a) / sin(a) w + sin(t a) / sin(a) v for each tensor, a the angle between w and v |

    Two networks that were trained apart have the same units in other places, so that the mean of their weights is
    hardly better than chance; with `align` the other's units are permuted first, which keeps its function (`AlignTo`).
    Where the two have learned different things, as different classes, no permutation makes them alike, and aligning
    can cost more than it gives: compare both.

    Args:
        donor: The other network: a model, state dict, path or name in ``donors={...}``; a second parent in `gw.evolve`.
        kind: How the two are put together, as above.
        rate: Share that is the other's, in [0, 1], of the kinds that draw; 0.5 by default.
        t: Weight of the other, in [0, 1], of "blend" and "slerp"; 0.5 by default.
        align: None, or how units are matched first, as in `AlignTo`: "weights", or "activations" on the example.
        other_sizes: Where a tensor is missing there or has another form. "refuse": that is an error, which names the
            first difference. "overlap": what both shapes have in common along every axis, from position 0 on. "skip":
            its whole layer stays as it is.
        statistics: Running statistics follow their layer, as they belong to its weights ("slerp": along the straight
            line).
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range, or belongs to other kinds.
        SelectionError: Nothing of the two fits together.
        UnsupportedError: The other network has another form; the first difference is named.
        UnknownNameError: There is no such donor.
        ExampleError: `align` is given, and no example.

    Example:
        >>> import torch, genewright as gw
        >>> net, other = torch.nn.Linear(3, 8), torch.nn.Linear(3, 8)
        >>> child = gw.mutate(net, gw.Crossover("other"), seed=1, donors={"other": other})
        >>> taken = (child.bias == other.bias)
        >>> torch.equal(child.weight[taken], other.weight[taken]), torch.equal(child.weight[~taken], net.weight[~taken])
        (True, True)
        >>> mean = gw.mutate(net, gw.Crossover("other", kind="blend", t=0.5), seed=1, donors={"other": other})
        >>> torch.allclose(mean.weight, (net.weight + other.weight) / 2)
        True

    References:
        Syswerda, "Uniform Crossover in Genetic Algorithms", ICGA 1989 (uniform); Montana and Davis, "Training
        Feedforward Neural Networks Using Genetic Algorithms", IJCAI 1989, section 4 (CROSSOVER-NODES: units as wholes);
        Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985 (slerp); Ainsworth, Hayase and Srinivasa,
        "Git Re-Basin", arXiv:2209.04836, section 3 (align).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    version: ClassVar[int] = 2

    donor: DonorSetting = field(default=MATE, kw_only=False)
    kind: Literal["unit", "uniform", "layer", "blend", "slerp"] = "unit"
    rate: float | None = None
    t: float | None = None
    align: Literal["weights", "activations"] | None = None
    other_sizes: Literal["refuse", "overlap", "skip"] = "refuse"
    statistics: bool = True
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        object.__setattr__(self, "donor", as_donor(self, "donor", self.donor))
        check_choice(self, "kind", self.kind, KINDS)
        used, other = ("rate", "t") if self.kind in DRAWN else ("t", "rate")
        if getattr(self, other) is not None:
            raise SettingError(f"Crossover: kind={self.kind!r} has no {other}. Write {used}=0.5, or take another kind.")
        value = getattr(self, used)
        object.__setattr__(self, used, 0.5 if value is None else value)
        check_fraction(self, used, getattr(self, used))
        object.__setattr__(self, used, float(getattr(self, used)))
        if self.align is not None:
            check_choice(self, "align", self.align, BY)
        check_choice(self, "other_sizes", self.other_sizes, OTHER_SIZES)
        if self.align is not None and self.other_sizes != "refuse":
            raise SettingError("Crossover: units are matched between networks of one form: leave out other_sizes.")
        object.__setattr__(self, "where", as_where(self.where))

    def donors(self) -> tuple[str, ...]:
        return (self.donor,)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network, other = networks
        sources: Sources = {}
        if self.align is not None:
            found = matched("Crossover", self.donor, network, fixed=network, moved=other, by=self.align, noise=noise)
            sources = positions(found)
        layers = self._layers(network, other)
        crossed = False
        for layer, chosen in layers.items():
            if self.kind == "layer" and not float(uniform01(noise.stream(layer), 0)) < (self.rate or 0):
                continue
            for selected in chosen:
                for edit in self._crossed(selected, networks, sources, noise):
                    crossed = True
                    yield edit
        if not crossed:  # a draw may leave everything as it is, as any rate may
            yield from no_position(layers, other)

    def _layers(self, network: Network, other: Network) -> dict[str, list[Selected]]:
        """Return what is crossed, by layer."""
        layers: dict[str, list[Selected]] = {}
        for selected in self.where.select(network):
            layers.setdefault(selected.tensor.layer, []).append(selected)
        if self.statistics:
            for tensor in network.tensors.values():
                if tensor.role == "statistic" and tensor.dtype in FLOATS and tensor.layer in layers:
                    units = layers[tensor.layer][0].units if tensor.shape else None
                    layers[tensor.layer].append(Selected(tensor, units, tensor.unit_axis))
        return in_common(layers, other, self.donor, self.other_sizes)

    def _crossed(
        self, selected: Selected, networks: tuple[Network, ...], sources: Sources, noise: Noise
    ) -> Iterator[Edit]:
        tensor = selected.tensor
        theirs = counterpart(tensor, networks[1])
        assert theirs is not None
        common = [np.arange(min(pair)) for pair in zip(tensor.shape, theirs.shape, strict=True)]
        axis = selected.axis if tensor.shape else None
        if axis is not None and selected.units is not None:
            common[axis] = np.intersect1d(common[axis], np.array(selected.units, np.int64))
        if self.kind == "unit":
            taken = drawn_positions(tensor, axis, networks[0], noise, self.rate or 0)
            if axis is not None:
                common[axis] = np.intersect1d(common[axis], taken)
            elif not len(taken):
                return
        if not all(len(one) for one in common):
            return
        part = at_positions(common, tensor.shape)
        moved = [
            sources[tensor.name, at][one] if (tensor.name, at) in sources else one for at, one in enumerate(common)
        ]
        source_part = at_positions(moved, theirs.shape)
        if self.kind in ("unit", "layer"):
            yield Copy(tensor=tensor.name, source=theirs.name, part=part, source_part=source_part, of=1)
            return
        own, other = 0.0, 1.0
        if self.kind != "uniform":
            straight = self.kind == "blend" or tensor.role == "statistic"
            t = self.t or 0.0
            own, other = (1 - t, t) if straight else arc(t, networks, (tensor, part), (theirs, source_part))
        chosen = (self.rate or 0.0) if self.kind == "uniform" else 1.0
        yield Mix(
            tensor=tensor.name,
            source=theirs.name,
            part=part,
            source_part=source_part,
            of=1,
            own=own,
            other=other,
            chosen=chosen,
            stream=tensor.name if self.kind == "uniform" else None,
        )
