"""Flipping of signs."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class SignFlip(Elementwise):
    """Flip the sign of a share of the elements.

    w' = -w for each element with probability `rate`, independently: its sign bit is flipped, so that the same mutation
    twice gives the first bytes back.

    Args:
        rate: Share of the elements whose sign flips, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.SignFlip(rate=1.0), seed=1)
        >>> torch.equal(mutant.weight, -net.weight)
        True

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B, whose
        Neuron Activation Inverse changes the sign before the activation: flip a unit's weights and bias (rate=1 with
        ``where=gw.where(..., units=...)``).
    """

    inverse = True

    rate: float = field(default=0.01, kw_only=False)

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="negate", rate=self.rate)
