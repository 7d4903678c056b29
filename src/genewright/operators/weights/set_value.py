"""Weights that become one number."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.settings import check_finite
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class SetValue(Elementwise):
    """Set a share of the elements to one number.

    w' = value for each element with probability `rate`, independently, whatever it was: NaN and infinity too.

    `Zero` is the case of 0, which leaves directions under weight_norm alone; `SetWeights` writes a number for each
    element.

    Args:
        value: The number, in the unit of the weights; rounded once to each tensor's dtype.
        rate: Share of the elements that become it, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> gw.mutate(net, gw.SetValue(value=0.5, rate=1.0, where="bias"), seed=1).bias.tolist()
        [0.5, 0.5]

    References:
        Mahmoud et al., "PyTorchFI: A Runtime Perturbation Tool for DNNs", DSN-W 2020 (a weight is set to a value); Shen
        et al., "MuNN: Mutation Analysis of Neural Networks", QRS-C 2018 (Change Weight Value, Change Bias Value).
    """

    value: float = 1.0
    rate: float = field(default=0.01, kw_only=False)

    def check(self) -> None:
        check_finite(self, "value", self.value)
        object.__setattr__(self, "value", float(self.value))

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="replace", distribution="constant", scale=self.value, rate=self.rate)
