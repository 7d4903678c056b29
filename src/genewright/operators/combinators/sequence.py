"""Several operators, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from genewright.network import Network
from genewright.operator import AnyOperator, Combinator, OperatorsSetting, as_operators
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.seeding import Noise

_DEFAULT: Any = (GaussianNoise(),)


@dataclass(frozen=True, kw_only=True)
class Sequence(Combinator):
    """Let several operators act in order, each on what the ones before it made.

    net' = operator_n(... operator_2(operator_1(net))).

    Each draws noise of its own, by its place in the sequence: the same operator twice draws twice. The recipe holds
    the operators that acted, not the sequence.

    Args:
        operators: The operators, at least one; combinators too. By default one mild `GaussianNoise()`: every operator
            acts without settings.

    Raises:
        SettingError: There is none, or something else is among them.

    Example:
        >>> import torch, genewright as gw
        >>> both = gw.Sequence(operators=(gw.Zero(rate=0.1), gw.GaussianNoise(std=0.01)))
        >>> mutant = gw.mutate(torch.nn.Linear(4, 2), both, seed=1)
        >>> [step.operator.name for step in gw.recipe(mutant).steps]
        ['zero', 'gaussian_noise']

    References:
        Composition of variation operators: Bäck, Fogel and Michalewicz (editors), "Handbook of Evolutionary
        Computation", 1997, part C3.
    """

    operators: OperatorsSetting = field(default=_DEFAULT, kw_only=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", as_operators("Sequence", self.operators))

    def parts(self) -> tuple[AnyOperator, ...]:
        return self.operators

    def choose(self, network: Network, noise: Noise) -> Iterator[tuple[str, AnyOperator]]:
        for place, operator in enumerate(self.operators):
            yield str(place), operator
