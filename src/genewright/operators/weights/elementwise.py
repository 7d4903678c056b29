"""What the operators share that change each chosen element by a rule of its own."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

from genewright.edits import Edit, Perturb
from genewright.errors import SettingError
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change, distinct
from genewright.operator import Operator
from genewright.operators.weights.places import Places, Positions, Stretch
from genewright.part import Part
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer, check_rate_or_count
from genewright.tensor import Tensor
from genewright.where import EVERYTHING, Selected, WhereSetting, as_where

_ANY: Final = Change(combine="negate")
_KEPT: Final = 256  # operators whose places in a network are kept


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

    def places(self, network: Network) -> Places:
        """Return all places that can be hit, numbered.

        Raises:
            GenewrightError: Nothing is chosen, or a chosen tensor cannot be changed.
        """
        kept = _PLACES.get(network)
        if kept is None or kept[0] is not network.tensors:  # another dict once a shape has changed
            kept = _PLACES[network] = (network.tensors, {})
        try:
            found = kept[1].get(self)
        except TypeError:  # somebody else's operator, with a setting that has no hash
            return self._places(network)
        if found is None:
            if len(kept[1]) >= _KEPT:
                kept[1].clear()
            found = kept[1][self] = self._places(network)
        return found

    def _places(self, network: Network) -> Places:
        chosen = self.chosen(network)
        for each in chosen:  # hit or not: whether it can be done is not for the seed to decide
            Perturb(tensor=each.tensor.name, change=_ANY, stream="").check((network,))
        return Places([Stretch(each.tensor, self.part(each, network), self.ways(each.tensor)) for each in chosen])

    def at(self, hits: Positions, places: Places, network: Network) -> Iterator[Edit]:
        """Yield the edits of places by their numbers, ascending."""
        for stretch, mine in places.split(hits):
            elements = stretch.elements(mine) * stretch.ways + mine % stretch.ways
            yield from self.counted(stretch.tensor, elements, network)

    def _counted(self, count: int, network: Network, noise: Noise) -> Iterator[Edit]:
        places = self.places(network)
        if count > places.size:
            what = "bits" if any(each.ways != 1 for each in places.stretches) else "elements"
            raise SettingError(
                f"{type(self).__name__}: count is at most the {places.size:,} {what} that `where` chooses; received "
                f"{count:,}."
            )
        drawn = distinct(noise.stream("elements"), count, places.size)
        yield from self.at(drawn, places, network)


_PLACES = WeakKeyDictionary[Network, tuple[Mapping[str, Tensor], dict[Elementwise, Places]]]()
"""The places of a network: a campaign draws from the same ones again and again."""
