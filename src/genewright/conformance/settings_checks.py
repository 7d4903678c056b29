"""The invariants of an operator's settings."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from genewright.errors import ConformanceError, GenewrightError
from genewright.operator import Combinator, Operator, operator_class, operator_from_json

_CLAIMS = frozenset({"shape", "function", "ends"})


def check_settings(operator: Any) -> Operator | Combinator:
    """Check settings, registration and claims; return an instance.

    Args:
        operator: An operator, a combinator, or the class of one.

    Raises:
        ConformanceError: An invariant of the settings is broken.
    """
    cls: type[Any] = operator if isinstance(operator, type) else type(operator)
    who = cls.__name__
    params = getattr(cls, "__dataclass_params__", None)
    _require(
        params is not None and params.frozen,
        f"{who} breaks the invariant 'settings are frozen'. Decorate it: @dataclass(frozen=True, kw_only=True).",
    )
    try:
        default = cls()
    except Exception as error:
        raise ConformanceError(
            f"{who} breaks the invariant 'its defaults are valid': {who}() raised {type(error).__name__}: {error}"
        ) from error
    try:
        known = operator_class(cls.name)
    except GenewrightError:
        known = None
    _require(known is cls, f"{who} breaks the invariant 'it is registered': {cls.name!r} names {known!r}.")
    for instance in (default,) if isinstance(operator, type) else (default, operator):
        _check_json(instance)
    if isinstance(default, Operator):
        odd = sorted((cls.keeps | default.claims()) - _CLAIMS)
        _require(not odd, f"{who} claims to keep {', '.join(odd)}; claims are {', '.join(sorted(_CLAIMS))}.")
    return default if isinstance(operator, type) else operator


def _check_json(instance: Operator | Combinator) -> None:
    who = type(instance).__name__
    invariant = f"{who} breaks the invariant 'JSON holds its settings exactly'"
    try:
        text = json.dumps(instance.to_json())
        again = operator_from_json(json.loads(text))
    except Exception as error:
        raise ConformanceError(f"{invariant}: {type(error).__name__}: {error}") from error
    _require(
        again == instance and again.to_json() == instance.to_json(), f"{invariant}: {instance} came back as {again}."
    )
    changed = [
        field.name
        for field in dataclasses.fields(instance)  # type: ignore[arg-type]  # checked: it is a dataclass
        if type(getattr(again, field.name)) is not type(getattr(instance, field.name))
    ]
    _require(not changed, f"{invariant}: {', '.join(changed)} came back as another type.")


def _require(kept: bool, message: str) -> None:
    if not kept:
        raise ConformanceError(message)
