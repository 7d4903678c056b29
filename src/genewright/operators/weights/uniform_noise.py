"""Uniform noise."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.operators.weights.first_setting import Bound
from genewright.operators.weights.noisy import Noisy


@dataclass(frozen=True, kw_only=True)
class UniformNoise(Noisy, Bound):
    """Add uniform noise to a share of the elements.

    w' = w + bound * unit * z with z ~ U(-1, 1), for each element with probability `rate`, independently; `unit` is 1,
    the tensor's spread, or |w|, as `relative_to` says.

    Args:
        bound: Largest change, up or down, at least 0, in the unit that `relative_to` names.
        rate: Share of the elements that change, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        relative_to: "none": `bound` is in units of the weights. "tensor": in units of the tensor's own standard
            deviation; where all its elements are equal, as in a fresh bias, of that of its layer's kernel, else of its
            magnitude. "weight": in units of each weight's magnitude, so that zeros stay zero.
        rounding: How a float16 or bfloat16 result is rounded: "nearest" or "stochastic" (see `GaussianNoise`).
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.
        UnsupportedError: `relative_to="tensor"` on a tensor that holds NaN or infinity.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.UniformNoise(bound=0.5), seed=246)
        >>> bool(((mutant.weight - net.weight).abs() <= 0.5 + 1e-6).all())
        True

    References:
        Montana and Davis, "Training Feedforward Neural Networks Using Genetic Algorithms", IJCAI 1989
        (unbiased and biased mutation of weights).
    """

    bound: float = field(default=0.01, kw_only=False)
    strength = "bound"
    distribution = "uniform"
