"""An operator that keeps a count between calls, which no operator may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from genewright.edits import Edit, Write
from genewright.network import Network
from genewright.operator import Operator
from genewright.seeding import Noise

CALLS: list[int] = []


@dataclass(frozen=True, kw_only=True)
class Counting(Operator):
    """Add the number of calls so far."""

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        CALLS.append(1)
        count = float(len(CALLS))
        yield Write(tensor="0.weight", values=lambda old: old + count)
