"""Multiplicative log-normal noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.first_setting import Std
from genewright.operators.weights.noisy import ROUNDING
from genewright.settings import check_choice, check_nonnegative
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class FactorNoise(Elementwise, Std):
    """Multiply a share of the elements by log-normal factors.

    w' = w * exp(std * z) with z ~ N(0, 1), for each element with probability `rate`, independently. Signs stay, zeros
    stay zero, and the factors f and 1 / f are equally likely.

    Args:
        std: Standard deviation of the factor's logarithm, at least 0; for small values, of the relative change.
        rate: Share of the elements that change, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        rounding: How a float16 or bfloat16 result is rounded: "nearest" or "stochastic" (see `GaussianNoise`).
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.FactorNoise(std=0.5), seed=246)
        >>> bool((mutant.weight.sign() == net.weight.sign()).all())
        True

    References:
        Schwefel, "Numerical Optimization of Computer Models", Wiley 1981 (log-normal steps keep a positive quantity
        positive); Joksas et al., "Committee machines", Nature Communications 11, 4273, 2020 (log-normal variation of
        memristor conductances).
    """

    std: float = field(default=0.01, kw_only=False)
    rounding: Literal["nearest", "stochastic"] = "nearest"

    def check(self) -> None:
        check_nonnegative(self, "std", self.std)
        object.__setattr__(self, "std", float(self.std))
        check_choice(self, "rounding", self.rounding, ROUNDING)

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="multiply", distribution="normal", scale=self.std, rate=self.rate, rounding=self.rounding)
