"""The strength of a mutation, as a factor: the same operator, milder or stronger."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from genewright.errors import SettingError
from genewright.operator import AnyOperator, Combinator

STRENGTHS = ("std", "scale", "bound")


def strength_setting(operator: AnyOperator) -> str | None:
    """Return the setting that says how strong an operator is: its noise's, else its rate; None where it has neither.

    Example:
        >>> from genewright.operators.weights.zero import Zero
        >>> strength_setting(Zero(rate=0.1))
        'rate'
    """
    names = [field.name for field in dataclasses.fields(cast(Any, operator))]
    for name in (*STRENGTHS, "rate"):
        if name in names and isinstance(getattr(operator, name), float):
            return name
    return None


def scalable(operator: AnyOperator) -> bool:
    """Whether an operator, or a part of a combinator, can be made milder or stronger.

    Example:
        >>> from genewright.operators.weights.zero import Zero
        >>> scalable(Zero(rate=0.1))
        True
    """
    return _scaled(operator, 0.5) is not operator


def scaled(operator: AnyOperator, factor: float) -> AnyOperator:
    """Return an operator of `factor` times the strength; a rate is at most 1. Parts of combinators are scaled each.

    Raises:
        SettingError: Nothing in it has a strength.

    Example:
        >>> from genewright.operators.weights.gaussian_noise import GaussianNoise
        >>> scaled(GaussianNoise(std=0.1), 2.0).std
        0.2
    """
    if factor == 1:
        return operator
    made = _scaled(operator, factor)
    if made is operator:
        raise SettingError(
            f"{type(operator).__name__} has no strength and no rate, so it cannot be made milder or stronger. "
            "Take an operator that has, such as gw.GaussianNoise(std=0.01), or leave out strength=."
        )
    return made


def _scaled(operator: AnyOperator, factor: float) -> AnyOperator:
    if isinstance(operator, Combinator):
        fields = [field.name for field in dataclasses.fields(cast(Any, operator))]
        if "operators" in fields:
            parts = tuple(_scaled(part, factor) for part in operator.parts())
            same = all(new is old for new, old in zip(parts, operator.parts(), strict=True))
            return operator if same else dataclasses.replace(cast(Any, operator), operators=parts)
        return operator
    name = strength_setting(operator)
    if name is None:
        return operator
    value = getattr(operator, name) * factor
    return dataclasses.replace(cast(Any, operator), **{name: min(value, 1.0) if name == "rate" else value})
