"""Weights plus an amount."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.settings import check_finite
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Shift(Elementwise):
    """Add one amount to a share of the elements.

    w' = w + amount for each element with probability `rate`, independently, rounded once to the tensor's dtype.

    Args:
        amount: What is added, in the unit of the weights; negative to subtract.
        rate: Share of the elements, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        where: Which tensors and units; all trainable ones by default. With rate=1.0 and units, whole units are shifted.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.Shift(amount=1.0, rate=1.0, where="bias"), seed=1)
        >>> torch.equal(mutant.bias, net.bias + 1)
        True

    References:
        Ghanbari et al., "Mutation-based Fault Localization of Deep Neural Networks", ASE 2023, arXiv:2309.05067
        (deepmufl: weights and biases of a unit plus 1, and minus 1).
    """

    amount: float = 0.1
    rate: float = field(default=0.01, kw_only=False)

    def check(self) -> None:
        check_finite(self, "amount", self.amount)
        object.__setattr__(self, "amount", float(self.amount))

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="add", distribution="constant", scale=self.amount, rate=self.rate)
