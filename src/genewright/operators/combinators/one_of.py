"""One of several operators, as the seed chooses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genewright.errors import SettingError
from genewright.noise import choice
from genewright.operator import AnyOperator, Combinator
from genewright.operators.combinators.parts import check_operators
from genewright.operators.weights.factor_noise import FactorNoise
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.seeding import Noise
from genewright.settings import check_nonnegative


@dataclass(frozen=True, kw_only=True)
class OneOf(Combinator):
    """Let one of several operators act, drawn by the seed.

    Operator i acts with probability weights[i] / sum(weights). The same seed chooses the same one on every network and
    in every process. The recipe holds the operator that acted.

    Args:
        operators: The operators, at least one; combinators too.
        weights: One number of at least 0 for each operator, not all 0; empty for equal chances.

    Raises:
        SettingError: There is no operator, something else is among them, or the weights do not fit.

    Example:
        >>> import torch, genewright as gw
        >>> either = gw.OneOf(operators=(gw.Zero(rate=0.1), gw.SignFlip(rate=0.1)), weights=(3, 1))
        >>> mutant = gw.mutate(torch.nn.Linear(4, 2), either, seed=1)
        >>> gw.recipe(mutant).steps[0].operator.name in ("zero", "sign_flip")
        True

    References:
        Real et al., "Regularized Evolution for Image Classifier Architecture Search", arXiv:1802.01548, section 3
        (one mutation, drawn at random, a child).
    """

    operators: tuple[AnyOperator, ...] = (GaussianNoise(), FactorNoise())
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", check_operators(self, self.operators))
        object.__setattr__(self, "weights", self._checked_weights())

    def choose(self, noise: Noise) -> Iterator[tuple[str, AnyOperator]]:
        weights = self.weights or (1.0,) * len(self.operators)
        place = choice(noise.stream(), weights)
        yield str(place), self.operators[place]

    def _checked_weights(self) -> tuple[float, ...]:
        if not isinstance(self.weights, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"OneOf: weights are numbers, one for each operator; received {self.weights!r}.")
        weights = tuple(self.weights)
        for weight in weights:
            check_nonnegative(self, "weights", weight)
        if weights and len(weights) != len(self.operators):
            raise SettingError(f"OneOf: {len(self.operators)} operators need as many weights; received {len(weights)}.")
        if weights and not 0 < sum(weights) < math.inf:
            raise SettingError(f"OneOf: the weights must have a finite sum above 0; received {weights!r}.")
        return tuple(float(weight) for weight in weights)
