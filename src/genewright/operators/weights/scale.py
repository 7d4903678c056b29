"""Weights times a factor."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.settings import check_finite
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Scale(Elementwise):
    """Multiply a share of the elements by a factor.

    w' = factor * w for each element with probability `rate`, independently, rounded once to the tensor's dtype.

    `FactorNoise` draws a factor for each element instead. Under weight_norm a direction has no length: scale the gain.

    Args:
        factor: The factor, without unit: below 1 damps, 0 silences, -1 is `SignFlip`.
        rate: Share of the elements, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        where: Which tensors and units; all trainable ones by default. With rate=1.0 and units, whole units are scaled.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.Scale(factor=0.5, rate=1.0), seed=1)
        >>> torch.equal(mutant.weight, net.weight / 2)
        True

    References:
        Ghanbari et al., "Mutation-based Fault Localization of Deep Neural Networks", ASE 2023, arXiv:2309.05067
        (deepmufl: weights and biases of a unit times 2, and halved).
    """

    factor: float = 0.5
    rate: float = field(default=0.01, kw_only=False)

    def check(self) -> None:
        check_finite(self, "factor", self.factor)
        object.__setattr__(self, "factor", float(self.factor))

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="multiply", distribution="constant", scale=self.factor, rate=self.rate)
