"""What strategies share that move all weights together: every individual has the base's layers and shapes."""

from __future__ import annotations

from genewright.errors import SettingError
from genewright.evolution.mutations import Mutations
from genewright.evolution.strategies.strategy import leaves
from genewright.operator import Operator
from genewright.operators.weights.gaussian_noise import GaussianNoise


def refuse_changed_shapes(who: str, mutations: Mutations | None) -> None:
    """Refuse mutations of the architecture.

    Raises:
        SettingError: An operator may change shapes; it is named.
    """
    for operator in () if mutations is None else mutations.operators.values():
        for leaf in leaves(operator):
            if not isinstance(leaf, Operator) or "shape" not in leaf.claims():
                raise SettingError(
                    f"{who} moves the weights of all individuals along common directions, so all need the shapes of "
                    f"the base, and {type(leaf).__name__} changes them. Take gw.GeneticAlgorithm, or leave it out."
                )


def one_gaussian(who: str, mutations: Mutations | None) -> GaussianNoise | None:
    """Return the noise that the mutation of a run names, whose strength and `where` hold; None where it names none.

    Raises:
        SettingError: It is another operator, or one with a rate or a unit of its own.
    """
    refuse_changed_shapes(who, mutations)
    if mutations is None:
        return None
    operators = list(mutations.operators.values())
    noise = operators[0]
    plain = isinstance(noise, GaussianNoise) and noise.rate == 1 and noise.relative_to == "none"
    if len(operators) > 1 or not isinstance(noise, GaussianNoise) or not plain:
        said = ", ".join(type(operator).__name__ for operator in operators)
        raise SettingError(
            f"{who} draws normal noise for all weights by itself: mutation= may be left out, or be "
            f"gw.GaussianNoise(std=..., where=...) of rate 1 and relative_to='none'; received {said}."
        )
    return noise
