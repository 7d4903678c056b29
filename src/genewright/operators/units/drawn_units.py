"""How many units, and which: a share of each layer's, or exactly so many of all; both nested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from genewright.errors import SettingError
from genewright.noise import Stream, permutation
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer, check_rate_or_count
from genewright.where import EVERYTHING, WhereSetting, as_where

Pools = Sequence[tuple[str, Sequence[int]]]
"""The units that may be drawn, by the name of what they belong to."""


@dataclass(frozen=True, kw_only=True)
class DrawnUnits:
    """The settings by which units are drawn: of each layer ceil(rate * n) of n, or `count` of all together."""

    rate: float = field(default=0.1, kw_only=False)
    count: int | None = None
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_fraction(self, "rate", self.rate)
        object.__setattr__(self, "rate", float(self.rate))
        if self.count is not None:
            check_integer(self, "count", self.count, low=1)
            check_rate_or_count(self)
        object.__setattr__(self, "where", as_where(self.where))

    def drawn(self, pools: Pools, noise: Noise) -> list[tuple[int, ...]]:
        """Return the units that are drawn of each pool, ascending; those of a rate or count are among a higher one's.

        Raises:
            SettingError: There are fewer than `count`.
        """
        if self.count is None:
            return [
                tuple(sorted(_shuffled(units, noise.stream(name))[: math.ceil(self.rate * len(units))]))
                for name, units in pools
            ]
        order = sorted(range(len(pools)), key=lambda at: pools[at][0])  # networks list their layers as they do
        every = [(at, unit) for at in order for unit in pools[at][1]]
        if self.count > len(every):
            raise SettingError(
                f"{type(self).__name__}: count is at most the {len(every)} units that `where` chooses; received "
                f"{self.count}."
            )
        chosen = [every[int(at)] for at in permutation(noise.stream("units"), len(every))[: self.count]]
        return [tuple(sorted(unit for pool, unit in chosen if pool == at)) for at in range(len(pools))]


def _shuffled(units: Sequence[int], stream: Stream) -> list[int]:
    return [units[int(at)] for at in permutation(stream, len(units))]
