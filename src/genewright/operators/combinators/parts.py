"""What combinators share: the check of the operators that they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from genewright.errors import SettingError
from genewright.operator import AnyOperator, Combinator, Operator


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
