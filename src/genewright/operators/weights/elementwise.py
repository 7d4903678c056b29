"""What the operators share that change each chosen element by a rule of its own."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Perturb
from genewright.errors import SettingError
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change, distinct
from genewright.operator import Operator
from genewright.part import Part, part_shape
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer, check_rate_or_count
from genewright.tensor import COMPLEX, Tensor
from genewright.where import EVERYTHING, Selected, WhereSetting, as_where

Positions = NDArray[np.int64]

_ANY: Final = Change(combine="negate")


@dataclass(frozen=True, kw_only=True)
class Elementwise(Operator, ABC):
    """Changes chosen elements: each with probability `rate`, independently, or exactly `count` of all.

    A count is drawn without replacement over the elements of all chosen tensors, and those of a count are among those
    of a higher one. The parts of a complex element count as two.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    rate: float = field(default=1.0, kw_only=False)
    count: int | None = None
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        if self.count is not None:
            check_integer(self, "count", self.count, low=1)
            check_rate_or_count(self)
        object.__setattr__(self, "where", as_where(self.where))
        self.check()

    def check(self) -> None:  # an operator may have no other settings
        """Refuse settings that are out of their ranges.

        Raises:
            SettingError: One is.
        """

    @abstractmethod
    def change(self, tensor: Tensor, network: Network) -> Change:
        """Return what is drawn for `tensor`, and how it combines with the old values."""

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield one edit for every chosen tensor; with a count, for every tensor that is hit."""
        network = networks[0]
        if self.count is not None:
            yield from self._counted(self.count, network, noise)
            return
        for selected in self.chosen(network):
            yield self.edit(selected.tensor, self.part(selected, network), network)

    def edit(self, tensor: Tensor, part: Part, network: Network) -> Edit:
        """Return the edit of a chosen tensor, by the rate."""
        return Perturb(tensor=tensor.name, change=self.change(tensor, network), stream=tensor.name, part=part)

    def chosen(self, network: Network) -> list[Selected]:
        """Return the tensors that are changed, each with what of it may change."""
        return self.where.select(network)

    def part(self, selected: Selected, network: Network) -> Part:
        """Return the elements that may change: those of the chosen units."""
        return selected.part

    def ways(self, tensor: Tensor) -> int:
        """Return in how many ways an element of a tensor can be hit, each of which a count counts."""
        return 1

    def counted(self, tensor: Tensor, hits: Positions, network: Network) -> Iterator[Edit]:
        """Yield the edits of a tensor's hits.

        Args:
            tensor: The tensor.
            hits: The place of each hit element in the tensor times its number of ways, plus the way.
            network: The network.
        """
        change = dataclasses.replace(self.change(tensor, network), rate=1.0)
        yield Perturb(tensor=tensor.name, change=change, stream=tensor.name, elements=Index.of(hits))

    def _counted(self, count: int, network: Network, noise: Noise) -> Iterator[Edit]:
        countable = self._countable(network)
        total = sum(each.size for each in countable)
        if count > total:
            what = "bits" if any(each.ways != 1 for each in countable) else "elements"
            raise SettingError(
                f"{type(self).__name__}: count is at most the {total:,} {what} that `where` chooses; received "
                f"{count:,}."
            )
        for each in countable:  # hit or not: whether it can be done is not for the seed to decide
            Perturb(tensor=each.tensor.name, change=_ANY, stream="").check((network,))
        drawn = distinct(noise.stream("elements"), count, total)
        first = 0
        for each in countable:
            hits = drawn[drawn.searchsorted(first) : drawn.searchsorted(first + each.size)] - first
            first += each.size
            if hits.size:
                places = _in_tensor(hits // each.ways, each.part, each.shape)
                yield from self.counted(each.tensor, places * each.ways + hits % each.ways, network)

    def _countable(self, network: Network) -> list[_Countable]:
        """Return the chosen tensors by name, for networks list them as they do."""
        found: list[_Countable] = []
        for each in sorted(self.chosen(network), key=lambda each: each.tensor.name):
            part, shape, ways = self.part(each, network), _in_parts(each.tensor), self.ways(each.tensor)
            found.append(_Countable(each.tensor, part, shape, ways, prod(part_shape(part, shape)) * ways))
        return found


class _Countable(NamedTuple):
    """A tensor of which elements are hit: so many ways an element, `size` in all."""

    tensor: Tensor
    part: Part
    shape: tuple[int, ...]
    ways: int
    size: int


def _in_parts(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor's numbers: a complex element has two."""
    return (*tensor.shape, 2) if tensor.dtype in COMPLEX else tensor.shape


def _in_tensor(positions: Positions, part: Part, shape: tuple[int, ...]) -> Positions:
    """Return where the elements of a part, by their places in it, lie in the whole tensor."""
    if not part:
        return positions
    inside = np.unravel_index(positions, part_shape(part, shape))
    whole = (*part, *(None,) * (len(shape) - len(part)))
    axes = [at if chosen is None else chosen.array[at] for at, chosen in zip(inside, whole, strict=True)]
    return np.ravel_multi_index(tuple(axes), shape).astype(np.int64)
