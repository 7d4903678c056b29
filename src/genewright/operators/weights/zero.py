"""Zeroing of weights."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Zero(Elementwise):
    """Set a share of the elements to zero.

    w' = +0 for each element with probability `rate`, independently, whatever it was: NaN and infinity too.

    Args:
        rate: Share of the elements that become zero, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> gw.mutate(net, gw.Zero(rate=1.0, where="bias"), seed=1).bias.tolist()
        [0.0, 0.0]

    References:
        LeCun, Denker and Solla, "Optimal Brain Damage", NeurIPS 1989 (weights set to zero for good); Wan et al.,
        "Regularization of Neural Networks using DropConnect", ICML 2013, section 3 (a random mask on weights).
    """

    rate: float = 0.01

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="replace", distribution="constant", scale=0.0, rate=self.rate)
