"""A member of an evolution strategy's generation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Map, Perturb
from genewright.edits.functions.subtract_noise import SubtractNoise
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.seeding import Noise
from genewright.settings import check_nonnegative
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class EvolutionNoise(Operator):
    """Add normal noise to every chosen weight, or subtract the same: a member of a generation, and its mirror image.

    w' = w + std * z, or w - std * z where mirrored, with z ~ N(0, 1), which depends on the seed alone and not on the
    sign. `EvolutionUpdate` knows the z of a seed again.

    Args:
        std: Standard deviation in units of the weights, at least 0.
        mirrored: Subtract the noise instead of adding it.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.

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
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_nonnegative(self, "std", self.std)
        object.__setattr__(self, "std", float(self.std))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in self.where.select(networks[0]):
            name, part = selected.tensor.name, selected.part
            if self.mirrored:
                yield Map(tensor=name, function=SubtractNoise(scale=self.std), part=part, stream=name)
            else:
                yield Perturb(tensor=name, change=Change(combine="add", scale=self.std), stream=name, part=part)
