"""Masks: the smallest weights, or the weights of the units that matter least, become zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Map
from genewright.edits.functions import ZeroSmallest
from genewright.errors import SelectionError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.importance import choices
from genewright.operators.units.hidden_widths import hidden_units, part_of
from genewright.operators.units.ranking import ranked
from genewright.part import grid, part_shape
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction
from genewright.where import Selected, Where, as_where

_WEIGHT = "weight"
_WEIGHTS = ("kernel", "recurrent_kernel", "embedding")


@dataclass(frozen=True, kw_only=True)
class MaskSmallest(Operator):
    """Set the weights of the smallest magnitude to zero, or all weights of the units that matter least.

    w' = 0 where |w| is among the round(fraction * n) smallest of the n chosen weights, else w.

    Of n chosen weights, zeros included, round(fraction * n) become zero: those of the smallest |w|. So a second time
    with the same fraction changes nothing, and with a larger one more go. A mask is the zeros themselves: they are in
    every file, `gw.keep_zeros` holds them while training goes on, and `Rewind` leaves them.

    With another `by` the mask is structured: of n hidden units round(fraction * n) have all their chosen weights set to
    zero. Their shapes stay; `PruneUnits` removes them.

    Args:
        fraction: Share of the chosen weights, or units, that are zero then, in [0, 1].
        scope: "tensor": of each tensor that share (of each layer's units); "all": of all together, by one threshold
            (units by their importance over the mean importance in their layer).
        by: "weight" for single weights by |w|; else whole units, by what says how much one matters, as in `PruneUnits`:
            "magnitude", "l1", "l2", "batchnorm", "random", "last", or a measure of `gw.neurons` on the example. The
            recipe holds the units, so that a replay needs no data.
        where: Which tensors and units; all trainable kernels and embeddings by default, without biases and gains. Whole
            units are hidden ones; with ``where="*"`` their biases and gains become zero, too.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: Nothing is chosen, or no hidden unit where `by` chooses units.
        UnsupportedError: `by` does not fit one of the chosen layers.
        ExampleError: `by` chooses units, and there is no example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(10, 10)
        >>> sparse = gw.mutate(net, gw.MaskSmallest(0.75), seed=1)
        >>> int((sparse.weight == 0).sum())
        75

    References:
        Han et al., "Learning both Weights and Connections for Efficient Neural Networks", arXiv:1506.02626, section 3;
        Frankle, Carbin, "The Lottery Ticket Hypothesis", arXiv:1803.03635, section 2 ("all": section 4).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    fraction: float = field(default=0.5, kw_only=False)
    scope: Literal["tensor", "all"] = "tensor"
    by: str = "weight"
    where: Where = field(default_factory=lambda: Where(roles=_WEIGHTS))

    def __post_init__(self) -> None:
        check_fraction(self, "fraction", self.fraction)
        object.__setattr__(self, "fraction", float(self.fraction))
        check_choice(self, "scope", self.scope, ("tensor", "all"))
        check_choice(self, "by", self.by, (_WEIGHT, *choices()))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield one edit for every chosen tensor."""
        if self.by != _WEIGHT:
            yield from self._units(networks[0], noise)
            return
        chosen = [one for one in self.where.select(networks[0]) if one.tensor.size]
        if not chosen:
            raise SelectionError("MaskSmallest: the chosen tensors have no elements.")
        sizes = [prod(part_shape(one.part, one.tensor.shape)) for one in chosen]
        counts = [round(self.fraction * size) for size in sizes]
        if self.scope == "all":
            counts = _shared(chosen, round(self.fraction * sum(sizes)), networks[0])
        for selected, count in zip(chosen, counts, strict=True):
            yield Map(tensor=selected.tensor.name, function=ZeroSmallest(count=count), part=selected.part)

    def _units(self, network: Network, noise: Noise) -> Iterator[Edit]:
        """Yield one edit for every chosen tensor that the least important units stand in."""
        found = hidden_units(self.where, network, "MaskSmallest")
        together = self.scope == "all"
        order = ranked(found, self.by, network, noise, "MaskSmallest", together=together)
        if together:
            gone = order[: round(self.fraction * len(order))]
        else:
            each = [[one for one in order if one.knob is knob] for knob, _ in found]
            gone = [one for units in each for one in units[: round(self.fraction * len(units))]]
        chosen = {selected.tensor.name: selected.axis for selected in self.where.select(network)}
        for knob, _ in found:
            units = tuple(one.unit for one in gone if one.knob is knob)
            for place in knob.places if units else ():
                tensor = network.tensor(place.tensor)
                if "reader" in place.roles or chosen.get(tensor.name, -1) != place.axis:
                    continue
                part = part_of(knob, place, units)
                count = prod(part_shape(part, tensor.shape))
                yield Map(tensor=tensor.name, function=ZeroSmallest(count=count), part=part)


def _shared(chosen: list[Selected], count: int, network: Network) -> list[int]:
    """Return how many of the smallest weights of all lie in each tensor; of equal ones, by the tensors' names."""
    order = sorted(range(len(chosen)), key=lambda at: chosen[at].tensor.name)
    sizes: list[NDArray[Any]] = []
    for at in order:
        tensor, part = chosen[at].tensor, chosen[at].part
        sizes.append(np.abs(network.read(tensor.name)[grid(part, tensor.shape)]).reshape(-1).astype(np.float64))
    every = np.concatenate(sizes)
    owner = np.repeat(np.arange(len(order)), [len(one) for one in sizes])
    found = np.bincount(owner[np.argsort(every, kind="stable")[:count]], minlength=len(order))
    counts = [0] * len(chosen)
    for turn, at in enumerate(order):
        counts[at] = int(found[turn])
    return counts
