"""Masks by magnitude."""

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
from genewright.part import grid, part_shape
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction
from genewright.where import Selected, Where, as_where

_WEIGHTS = ("kernel", "recurrent_kernel", "embedding")


@dataclass(frozen=True, kw_only=True)
class MaskSmallest(Operator):
    """Set the weights of the smallest magnitude to zero.

    Of n chosen weights, zeros included, round(fraction * n) become zero: those of the smallest |w|. So a second time
    with the same fraction changes nothing, and with a larger one more go. A mask is the zeros themselves: they are in
    every file, `gw.keep_zeros` holds them while training goes on, and `Rewind` leaves them.

    Args:
        fraction: Share of the chosen weights that are zero then, in [0, 1].
        scope: "tensor": of each tensor that share; "all": of all chosen weights together, by one threshold.
        where: Which tensors and units; all trainable kernels and embeddings by default, without biases and gains.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: Nothing is chosen.

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
    where: Where = field(default_factory=lambda: Where(roles=_WEIGHTS))

    def __post_init__(self) -> None:
        check_fraction(self, "fraction", self.fraction)
        object.__setattr__(self, "fraction", float(self.fraction))
        check_choice(self, "scope", self.scope, ("tensor", "all"))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield one edit for every chosen tensor."""
        chosen = [one for one in self.where.select(networks[0]) if one.tensor.size]
        if not chosen:
            raise SelectionError("MaskSmallest: the chosen tensors have no elements.")
        sizes = [prod(part_shape(one.part, one.tensor.shape)) for one in chosen]
        counts = [round(self.fraction * size) for size in sizes]
        if self.scope == "all":
            counts = _shared(chosen, round(self.fraction * sum(sizes)), networks[0])
        for selected, count in zip(chosen, counts, strict=True):
            yield Map(tensor=selected.tensor.name, function=ZeroSmallest(count=count), part=selected.part)


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
