"""What the operators share that change each chosen element by a rule of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Perturb
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.part import Part
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.tensor import Tensor
from genewright.where import Selected, Where, as_where


@dataclass(frozen=True, kw_only=True)
class Elementwise(Operator, ABC):
    """Changes each element of the chosen tensors with probability `rate`, independently."""

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    rate: float = 1.0
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
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
        network = networks[0]
        """Yield one edit for every chosen tensor."""
        for selected in self.where.select(network):
            tensor = selected.tensor
            yield Perturb(
                tensor=tensor.name,
                change=self.change(tensor, network),
                stream=tensor.name,
                part=self.part(selected, network),
            )

    def part(self, selected: Selected, network: Network) -> Part:
        """Return the elements that may change: those of the chosen units."""
        return selected.part
