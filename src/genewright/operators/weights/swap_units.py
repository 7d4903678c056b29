"""Swapping of units within a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Gather, Place
from genewright.errors import SelectionError, SettingError
from genewright.index import Index
from genewright.network import Network
from genewright.noise import permutation
from genewright.operator import Operator
from genewright.operators.output_layers import output_layers
from genewright.operators.weights.kernels import KERNELS, selected_kernels
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer, check_rate_or_count
from genewright.where import EVERYTHING, Selected, WhereSetting, as_where

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class SwapUnits(Operator):
    """Swap pairs of units of a layer: their incoming weights and their biases together.

    w'[u] = w[v] and w'[v] = w[u] for drawn pairs of units u and v.

    Of the n units of a layer (or of those that `where` allows), ceil(rate * n / 2) disjoint pairs are drawn, uniformly,
    and the units u and v of each pair change places: w'[u] = w[v] and w'[v] = w[u], in the kernel, the recurrent kernel
    and the bias alike. What reads the layer's outputs stays as it is, so each unit of a pair takes over the other's
    role, and the function changes. (A swap that the next layer follows would keep the function.) The same mutation
    twice gives the first bytes back.

    What swaps in the layer that makes the outputs is classes, not roles. So with `example=` layers whose units no
    weights read are left out, unless ``outputs=True``; without an example, nobody can tell them, and they swap too.

    A unit is a position along the kernel's unit axis: an output feature or channel; in a recurrent layer one gate of
    one cell; in attention one row of a projection. (What `where` allows by units are whole cells and
    heads.) A normalisation layer after it is another layer, and stays. Only chosen tensors move: with a frozen bias, or
    ``where="*.weight"``, the kernel moves alone.

    Args:
        rate: Share of the units that change places, in [0, 1]; above 0, at least one pair a layer.
        count: Instead of `rate`, exactly how many pairs of all chosen layers together; those of a count are among those
            of a higher one.
        outputs: Swap units that no weights read, too: the classes of a classifier.
        where: Which tensors and units; all trainable ones of layers with a kernel by default.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no kernel with two units, or those of outputs alone.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.SwapUnits(), seed=1)
        >>> torch.equal(mutant.bias, net.bias.flip(0)) and torch.equal(mutant.weight, net.weight.flip(0))
        True

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B (Neuron
        Switch: two neurons of a layer exchange their roles for the next layer).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    inverse: ClassVar[bool] = True
    version: ClassVar[int] = 3

    rate: float = field(default=0.1, kw_only=False)
    count: int | None = None
    outputs: bool = False
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        if self.count is not None:
            check_integer(self, "count", self.count, low=1)
            check_rate_or_count(self)
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        kernels = selected_kernels(self.where, network, type(self).__name__)
        layers = tuple(dict.fromkeys((kernel.tensor.layer, _count(kernel)) for kernel in kernels))
        apart = () if self.outputs else output_layers(network)
        chosen = self.where.select(network)
        found = [_width(layer, count, chosen, noise) for layer, count in layers if layer not in apart]
        if not any(width.pairs for width in found):
            raise SelectionError(
                "SwapUnits: no chosen layer has two units that may change places: "
                + ", ".join(f"{layer or 'the model'!r} has {count}" for layer, count in layers)
                + ". Choose more units or other layers."
                + (f" Those of {', '.join(map(repr, apart))} are outputs: outputs=True swaps them." if apart else "")
            )
        for width, pairs in zip(found, self._taken(found, noise), strict=True):
            index = list(range(width.count))
            for first, second in pairs:
                index[first], index[second] = second, first
            if pairs or (self.count is None and width.pairs):
                places = tuple(Place(s.tensor.name, s.axis or 0) for s in width.moving)
                yield Gather(width=width.layer, size=width.count, index=Index.of(index), places=places)

    def _taken(self, found: list[_Width], noise: Noise) -> list[tuple[Pair, ...]]:
        """Return the pairs of each layer that change places."""
        if self.count is None:
            return [width.pairs[: math.ceil(self.rate * width.units / 2)] for width in found]
        order = sorted(range(len(found)), key=lambda at: (found[at].layer, found[at].count))
        every = [(at, pair) for at in order for pair in found[at].pairs]
        if self.count > len(every):
            raise SettingError(
                f"SwapUnits: count is at most the {len(every)} pairs that the chosen units make; received {self.count}."
            )
        taken = [every[int(at)] for at in permutation(noise.stream("pairs"), len(every))[: self.count]]
        return [tuple(pair for of, pair in taken if of == at) for at in range(len(found))]


@dataclass(frozen=True)
class _Width:
    """A layer's units that may change places.

    Attributes:
        layer: The layer's name.
        count: How many units it has.
        units: How many of these are chosen.
        moving: The tensors in which they stand.
        pairs: The chosen units in drawn order, two by two.
    """

    layer: str
    count: int
    units: int
    moving: tuple[Selected, ...]
    pairs: tuple[Pair, ...]


def _width(layer: str, count: int, chosen: list[Selected], noise: Noise) -> _Width:
    moving = tuple(s for s in chosen if s.tensor.layer == layer and _moves(s, count))
    units = range(count) if moving[0].units is None else moving[0].units
    drawn = [units[int(at)] for at in permutation(noise.stream(f"{layer}/{count}"), len(units))]
    pairs = tuple(zip(drawn[::2], drawn[1::2], strict=False))
    return _Width(layer, count, len(units), moving, pairs)


def _count(selected: Selected) -> int:
    return selected.tensor.shape[selected.axis or 0]


def _moves(selected: Selected, count: int) -> bool:
    tensor = selected.tensor
    kind = tensor.role in (*KERNELS, "bias") or tensor.role == "parameter"
    return kind and tensor.unit_axis is not None and bool(tensor.shape) and _count(selected) == count
