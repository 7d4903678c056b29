"""Child: an individual that a strategy asks for."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.calls import Answering
from genewright.operator import AnyOperator


@dataclass(frozen=True, kw_only=True, eq=False)
class Child(metaclass=Answering):
    """An individual that a strategy asks for: whom it comes from, and what is done to that one.

    Attributes:
        parents: Numbers of individuals, or children of the same `ask` that come before it. The first one is mutated; a
            second one is the donor called "mate" of its operators (see `Crossover`).
        operator: What mutates it; None evaluates the first parent once more, as it is.
        seed: The seed of the mutation, from 0 to 2**63 - 1.
        strength: Factor of the operator's strength (see `scaled`); one that has none is applied as it is.
        mutation: The name of the mutation among several, "" where there is one.
        rival: The fitness that it has to exceed for its mutation to count as a success: its parent's.
    """

    parents: tuple[int | Child, ...]
    operator: AnyOperator | None
    seed: int = 0
    strength: float = 1.0
    mutation: str = ""
    rival: float | None = None
