"""Sources: whose children the individuals of a population are, and how their rows are filled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import nn

from genewright.backends.torch.network import TorchNetwork
from genewright.edits.functions.add_low_rank import AddLowRank
from genewright.errors import UnsupportedError
from genewright.operator import AnyOperator
from genewright.populations.torch.drawing import Drawing
from genewright.populations.torch.rows import Rows
from genewright.seeding import Seed


@dataclass(frozen=True)
class Family:
    """Children of one parent.

    Attributes:
        parent: Read, and not changed.
        operators: What mutates it, in order.
        seeds: A seed for each child.
    """

    parent: nn.Module
    operators: tuple[AnyOperator, ...]
    seeds: tuple[Seed, ...]


class Source(ABC):
    """Makes the rows of all individuals.

    Attributes:
        network: One of their parents.
        low_rank: What makes the factors of tensors that are not made themselves, by their names.
    """

    network: TorchNetwork
    low_rank: Mapping[str, AddLowRank]

    @abstractmethod
    def rows(self, size: int) -> Rows:
        """Return room for some individuals."""

    @abstractmethod
    def fill(self, rows: Rows, start: int, stop: int) -> None:
        """Make the individuals from `start` to before `stop`, in the first rows."""

    @abstractmethod
    def whole(self) -> Source:
        """Return the same with every tensor made, and no factors."""

    def row_bytes(self) -> int:
        """Return the bytes of one individual's own numbers."""
        one = self.rows(1)
        return sum(rows.nbytes for rows in (*one.stacked.values(), *one.factors.values()))


class OneFamily(Source):
    """Children of one parent: what no operator changes, they share."""

    def __init__(self, family: Family, *, whole: bool = False) -> None:
        self._family = family
        self._drawing = Drawing(family.parent, family.operators, whole=whole)
        self.network, self.low_rank = self._drawing.network, self._drawing.low_rank

    def rows(self, size: int) -> Rows:
        return self._drawing.rows(size)

    def fill(self, rows: Rows, start: int, stop: int) -> None:
        self._drawing.fill(rows, self._family.seeds[start:stop])

    def whole(self) -> Source:
        return OneFamily(self._family, whole=True)


class SeveralFamilies(Source):
    """Children of parents that differ in the values of their tensors alone: they share what is equal in all."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = tuple(families)
        self._drawings = [Drawing(one.parent, one.operators, whole=True) for one in families]
        self._ends = list(accumulate(len(one.seeds) for one in families))
        self.network, self.low_rank = self._drawings[0].network, {}
        for drawing in self._drawings:
            _refuse_other_form(self.network, drawing.network)
        first, *others = (drawing.network.members for drawing in self._drawings)
        changed = {name for drawing in self._drawings for name in drawing.names}
        self._names = [
            name
            for name, member in first.items()
            if name in changed or any(not torch.equal(member.tensor, other[name].tensor) for other in others)
        ]

    def rows(self, size: int) -> Rows:
        return Rows(self.network, self._names, size)

    def fill(self, rows: Rows, start: int, stop: int) -> None:
        for family, drawing, end in zip(self._families, self._drawings, self._ends, strict=True):
            begin = end - len(family.seeds)
            first, last = max(start, begin), min(stop, end)
            if first < last:
                mine = rows.between(first - start, last - start, drawing.network)
                drawing.fill(mine, family.seeds[first - begin : last - begin])

    def whole(self) -> Source:
        return self


def _refuse_other_form(network: TorchNetwork, other: TorchNetwork) -> None:
    """Refuse a parent whose tensors are not like those of another.

    Raises:
        UnsupportedError: One differs in its name, shape or dtype; it is named.
    """
    forms = [{n: (m.tensor.shape, m.tensor.dtype) for n, m in each.members.items()} for each in (network, other)]
    for name in {**forms[0], **forms[1]}:
        here, there = (form.get(name) for form in forms)
        if here != there:
            raise UnsupportedError(
                f"Individuals of one form run together, and {name!r} is {_said(here)} in one parent and {_said(there)} "
                "in another. Make a population for each form."
            )


def _said(form: tuple[torch.Size, torch.dtype] | None) -> str:
    return "missing" if form is None else f"of shape {tuple(form[0])} and {form[1]}"
