"""One of several operators, as the seed chooses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from genewright.errors import GenewrightError, SettingError
from genewright.network import Network
from genewright.noise import choice
from genewright.operator import AnyOperator, Combinator, OperatorsSetting, as_operators
from genewright.operators.combinators.parts import refusal
from genewright.operators.weights.factor_noise import FactorNoise
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.seeding import Noise
from genewright.settings import check_nonnegative

_DEFAULT: Any = (GaussianNoise(), FactorNoise())


@dataclass(frozen=True, kw_only=True)
class OneOf(Combinator):
    """Let one of several operators act, drawn by the seed.

    net' = operator_i(net) with probability weights[i] / sum(weights).

    Operator i acts with probability weights[i] / sum(weights); of those that can act on the network, where `fitting`:
    one that refuses is drawn again from the others. The same seed chooses the same one on networks of one form, in
    every process. The recipe holds the operator that acted.

    Args:
        operators: The operators, at least one; combinators too.
        weights: One number of at least 0 for each operator, not all 0; empty for equal chances.
        fitting: Leave out operators that refuse this network, such as `AddHeads` where there is no attention.

    Raises:
        SettingError: There is no operator, something else is among them, or the weights do not fit.
        GenewrightError: The chosen operator refuses; where `fitting`, all do, and the first refusal is raised.

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

    operators: OperatorsSetting = field(default=_DEFAULT, kw_only=False)
    weights: tuple[float, ...] = ()
    fitting: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", as_operators("OneOf", self.operators))
        object.__setattr__(self, "weights", self._checked_weights())

    def parts(self) -> tuple[AnyOperator, ...]:
        return self.operators

    def choose(self, network: Network, noise: Noise) -> Iterator[tuple[str, AnyOperator]]:
        weights = list(self.weights or (1.0,) * len(self.operators))
        first: GenewrightError | None = None
        for turn in range(len(weights)):
            if not any(weights):
                break
            place = choice(noise.stream(str(turn) if turn else ""), weights)
            error = refusal(self.operators[place], network, noise.child(place)) if self.fitting else None
            if error is None:
                yield str(place), self.operators[place]
                return
            first = first or error
            weights[place] = 0.0
        assert first is not None  # `_checked_weights` leaves one that can be drawn
        raise first

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
