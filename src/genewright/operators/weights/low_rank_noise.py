"""Noise of low rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Map, Perturb
from genewright.edits.functions.add_low_rank import AddLowRank, matrix_shape
from genewright.errors import SettingError
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.seeding import Noise
from genewright.settings import check_integer, check_nonnegative
from genewright.tensor import Tensor
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class LowRankNoise(Operator):
    """Add the product of two thin matrices of normal noise to each weight matrix.

    W' = W + std / sqrt(rank) * A B^T with A of shape (rows, rank), B of shape (columns, rank) and entries from N(0, 1):
    each element's change has the standard deviation `std`, and those of one row or column depend on each other. The
    kernel of a convolution is its unfolded matrix, (outputs, inputs * window); an embedding's rows are its entries.
    What is one row, one column or a vector, such as a bias, gets normal noise for each element.

    In `gw.population` the product is never added to the weights: a layer computes x W^T + (x B) A^T, so that
    individuals share x W^T and need rank * (rows + columns) numbers each.

    Args:
        rank: Columns of A and B, at least 1 and at most the rows and the columns of each matrix.
        std: Standard deviation of an element's change, at least 0, in units of the weights.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range, or the rank is above a matrix's size; it is named.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(30, 20, dtype=torch.float64)
        >>> mutant = gw.mutate(net, gw.LowRankNoise(rank=2, std=0.1), seed=246)
        >>> int(torch.linalg.matrix_rank(mutant.weight.detach() - net.weight.detach()))
        2

    References:
        Sarkar et al., "Evolution Strategies at the Hyperscale", arXiv:2511.16652, section 4.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    std: float = field(default=0.01, kw_only=False)
    rank: int = field(default=1, kw_only=False)
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_integer(self, "rank", self.rank, low=1)
        check_nonnegative(self, "std", self.std)
        object.__setattr__(self, "std", float(self.std))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in self.where.select(networks[0]):
            tensor, part = selected.tensor, selected.part
            if is_matrix(self, tensor, self.rank):
                function = AddLowRank(scale=self.std, rank=self.rank)
                yield Map(tensor=tensor.name, function=function, part=part, stream=tensor.name)
            else:
                change = Change(combine="add", scale=self.std)
                yield Perturb(tensor=tensor.name, change=change, stream=tensor.name, part=part)


def is_matrix(operator: Operator, tensor: Tensor, rank: int) -> bool:
    """Whether a tensor has noise of low rank: it is no single row or column.

    Raises:
        SettingError: The rank is above its size.
    """
    rows, columns = matrix_shape(tensor.shape) if len(tensor.shape) > 1 else (1, 1)
    if min(rows, columns) < 2:
        return False
    if rank > min(rows, columns):
        raise SettingError(
            f"{type(operator).__name__}: rank={rank} is above the size of {tensor.name!r}, a matrix of {rows} rows and "
            f'{columns} columns. Take rank={min(rows, columns)}, or leave it out: where=("*", "!{tensor.name}").'
        )
    return True
