"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.operators.weights.first_setting import Std
from genewright.operators.weights.noisy import Noisy


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Noisy, Std):
    """Add normal noise to a share of the elements.

    w' = w + std * scale * z with z ~ N(0, 1), for each element with probability `rate`, independently; `scale` is 1,
    the tensor's spread, or |w|, as `relative_to` says.

    Args:
        std: Standard deviation, at least 0, in the unit that `relative_to` names.
        rate: Share of the elements that change, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        relative_to: "none": `std` is in units of the weights. "tensor": in units of the tensor's own standard
            deviation; where all its elements are equal, as in a fresh bias, of that of its layer's kernel, else of its
            magnitude. "weight": in units of each weight's magnitude, so that zeros stay zero.
        rounding: How a float16 or bfloat16 result is rounded. With "nearest", bfloat16 weights do not notice noise of
            under about 0.2 % of their size; "stochastic" keeps it in the mean.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.
        UnsupportedError: `relative_to="tensor"` on a tensor that holds NaN or infinity.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.GaussianNoise(std=10, rate=0.3), seed=246)
        >>> bool((mutant.weight != net.weight).any())
        True

    References:
        Rechenberg, "Evolutionsstrategie", 1973; Salimans et al., "Evolution Strategies as a Scalable Alternative to
        Reinforcement Learning", arXiv:1703.03864, section 2.
    """

    std: float = field(default=0.01, kw_only=False)
    strength = "std"
    distribution = "normal"
