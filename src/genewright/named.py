"""Names for layers and tensors that an operator's settings say by the object: looked up before the operator acts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from genewright.backends import backend_of
from genewright.errors import UnknownNameError
from genewright.network import Network
from genewright.operator import AnyOperator, Combinator, OperatorLike, Registered, as_operators
from genewright.references import DonorReference, Prototype, Reference, said
from genewright.spec import LayerSpec
from genewright.where import Where

_PLAIN = frozenset({float, int, bool, str, type(None)})


def operators_for(model: Any, operator: OperatorLike | Iterable[OperatorLike], who: str) -> tuple[AnyOperator, ...]:
    """Return operators with the model's own names where their settings hold its layers or tensors.

    Args:
        model: The model that they will act on.
        operator: An operator, a name, or several.
        who: Who asks, for the message.

    Raises:
        SettingError: Something is no operator.
        UnknownNameError: A layer or tensor is not one of the model's, or an operator's name is unknown.
    """
    operators = as_operators(who, operator)
    if not _any_refers(operators):
        return operators
    network = backend_of(model).network(model)
    return tuple(cast(AnyOperator, _named(operator, network, type(operator).__name__)) for operator in operators)


def where_for(model: Any, where: Where, who: str) -> Where:
    """Return a choice with the model's own names where it holds its layers or tensors.

    Args:
        model: The model in which it chooses.
        where: The choice.
        who: Who asks, for the message.

    Raises:
        UnknownNameError: A layer or tensor is not one of the model's.
    """
    return _named(where, backend_of(model).network(model), who) if _refers(where) else where


def _refers(value: Any) -> bool:
    return _asking(cast("type[Any]", type(value)))(value)


@functools.lru_cache(maxsize=1024)
def _asking(kind: type[Any]) -> Callable[[Any], bool]:
    """Return how values of a class are asked: every mutation asks, so what a class is is found out once."""
    if issubclass(kind, Reference):
        return _never if issubclass(kind, DonorReference) else _always
    if issubclass(kind, Mapping):
        return lambda value: _any_refers(value.values())
    if issubclass(kind, tuple | list):
        return _any_refers
    if not _is_made_of_settings(kind):
        return _never
    names = [field.name for field in dataclasses.fields(kind)]
    return lambda value: _any_refers([getattr(value, name) for name in names])


def _any_refers(values: Iterable[Any]) -> bool:
    for value in values:
        kind = cast("type[Any]", type(value))
        if kind not in _PLAIN and _asking(kind)(value):  # nearly all settings are plain
            return True
    return False


def _never(value: object) -> bool:
    return False


def _always(value: object) -> bool:
    return True


def _is_made_of_settings(kind: type[Any]) -> bool:
    return issubclass(kind, Registered | Where | LayerSpec) and dataclasses.is_dataclass(kind)


def _named(value: Any, network: Network, who: str) -> Any:
    if isinstance(value, Prototype):
        return network.spec_like(value.of)
    if isinstance(value, Reference):
        name = network.name_of(value.of)
        if not name:
            what = "the model itself" if name == "" else "no layer or tensor of this model"
            raise UnknownNameError(f"{who}: {said(value.of)} is {what}. Give one of the model's own, or its name.")
        return name
    if isinstance(value, Mapping):
        return {key: _named(entry, network, who) for key, entry in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple | list):
        entries = cast("list[Any]", value)
        return type(entries)(_named(entry, network, who) for entry in entries)
    if not _is_made_of_settings(cast("type[Any]", type(value))) or not _refers(value):
        return value
    within = type(value).__name__ if isinstance(value, Registered) and not isinstance(value, Combinator) else who
    fields = [field.name for field in dataclasses.fields(cast(Any, value))]
    changed = {name: _named(held, network, within) for name in fields if _refers(held := getattr(value, name))}
    return dataclasses.replace(cast(Any, value), **changed)
