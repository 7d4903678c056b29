"""A member of an evolution strategy's generation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Map, Perturb
from genewright.edits.functions.add_low_rank import AddLowRank
from genewright.errors import SettingError
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.operators.weights.low_rank_noise import is_matrix
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_integer, check_nonnegative
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class EvolutionNoise(Operator):
    """Add normal noise to every chosen weight, or subtract the same: a member of a generation, and its mirror image.

    w' = w + std * z, or w - std * z where mirrored, with z ~ N(0, 1), which depends on the seed alone and not on the
    sign. `EvolutionUpdate` knows the z of a seed again. With a rank, z = A B^T / sqrt(rank) as in `LowRankNoise`.

    Args:
        std: Standard deviation in units of the weights, at least 0.
        mirrored: Subtract the noise instead of adding it.
        rate: The probability that a weight has noise, in [0, 1]; each seed has a mask of its own.
        rank: None for noise of each weight by itself; else the columns of A and B, with a rate of 1.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range, or the rank is above a matrix's size; it is named.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2).double()
        >>> there, back = (gw.mutate(net, gw.EvolutionNoise(std=0.1, mirrored=m), seed=1) for m in (False, True))
        >>> torch.allclose(there.weight + back.weight, 2 * net.weight)
        True

    References:
        Brockhoff et al., "Mirrored Sampling and Sequential Selection for Evolution Strategies", PPSN 2010; Salimans et
        al., "Evolution Strategies as a Scalable Alternative to Reinforcement Learning", arXiv:1703.03864, section 2.1.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    std: float = field(default=0.02, kw_only=False)
    mirrored: bool = False
    rate: float = 1.0
    rank: int | None = None
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_nonnegative(self, "std", self.std)
        object.__setattr__(self, "std", float(self.std))
        check_kind(self, self.rate, self.rank)
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        std = -self.std if self.mirrored else self.std
        for selected in self.where.select(networks[0]):
            name, part = selected.tensor.name, selected.part
            if self.rank is not None and is_matrix(self, selected.tensor, self.rank):
                function = AddLowRank(scale=std, rank=self.rank)
                yield Map(tensor=name, function=function, part=part, stream=name)
            else:
                change = Change(combine="add", scale=std, rate=self.rate)
                yield Perturb(tensor=name, change=change, stream=name, part=part)


def check_kind(operator: Operator, rate: float, rank: int | None) -> None:
    """Check what kind of noise members have.

    Raises:
        SettingError: The rate or the rank is out of its range, or there are both.
    """
    check_fraction(operator, "rate", rate)
    if rank is None:
        return
    check_integer(operator, "rank", rank, low=1)
    if rate < 1:
        raise SettingError(
            f"{type(operator).__name__}: noise of low rank changes every weight; received rank={rank} and "
            f"rate={rate}. Leave one of them out."
        )
