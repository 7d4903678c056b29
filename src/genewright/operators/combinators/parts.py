"""What combinators share: the check of the operators that they are made of, and whether one can act on a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from genewright.errors import GenewrightError, SettingError
from genewright.network import Network
from genewright.operator import AnyOperator, Combinator, Operator
from genewright.seeding import Noise


def check_operators(owner: object, operators: Any) -> tuple[AnyOperator, ...]:
    """Return `operators` as a tuple.

    Raises:
        SettingError: There is none, or something else is among them.
    """
    who = type(owner).__name__
    if isinstance(operators, Operator | Combinator):
        operators = (operators,)
    if not isinstance(operators, Iterable) or isinstance(operators, str):
        raise SettingError(f"{who}: operators are operators such as gw.Zero(rate=0.1); received {operators!r}.")
    given: tuple[Any, ...] = tuple(operators)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for operator in given:
        if not isinstance(operator, Operator | Combinator):
            hint = " Make one of the class, with its settings." if isinstance(operator, type) else ""
            raise SettingError(f"{who}: expected an operator such as gw.Zero(rate=0.1); received {operator!r}.{hint}")
    if not given:
        raise SettingError(f"{who}: operators must hold at least one operator; received none.")
    return given


def refusal(operator: AnyOperator, network: Network, noise: Noise) -> GenewrightError | None:
    """Return why an operator cannot act on a network, as far as its proposal shows it; None where it can.

    A combinator chooses by itself, and what a donor is needed for is known to the core alone: both count as fit.

    Args:
        operator: The operator.
        network: The network as it is now.
        noise: The noise that the operator would be handed.
    """
    if isinstance(operator, Combinator) or operator.donors():
        return None
    salted = noise.salted(operator.name)
    try:
        for _ in operator.resolve((network,), salted).propose((network,), salted):
            pass
    except GenewrightError as error:
        return error
    return None
