"""Settings of operators: the checks of their ranges, and their form in JSON."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

from genewright.errors import SettingError
from genewright.names import did_you_mean
from genewright.references import Reference, is_layer, is_tensor, said

_PLAIN = (bool, int, float, str)


@runtime_checkable
class HasJson(Protocol):
    """A setting with a JSON form of its own, such as `Where` or a nested operator."""

    def to_json(self) -> Any:
        """Return what `json.dumps` can write."""
        ...


def check_fraction(owner: object, name: str, value: Any) -> None:
    """Refuse what is not a number in [0, 1].

    Raises:
        SettingError: With the owner, the name, the range and the value.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise _refusal(owner, name, "a number from 0 to 1", value)


def check_finite(owner: object, name: str, value: Any) -> None:
    """Refuse what is not a finite number."""
    if not _is_number(value) or not -math.inf < value < math.inf:
        raise _refusal(owner, name, "a finite number", value)


def check_nonnegative(owner: object, name: str, value: Any) -> None:
    """Refuse what is not a finite number of at least 0."""
    if not _is_number(value) or not 0 <= value < math.inf:
        raise _refusal(owner, name, "a finite number of at least 0", value)


def check_positive(owner: object, name: str, value: Any) -> None:
    """Refuse what is not a finite number above 0."""
    if not _is_number(value) or not 0 < value < math.inf:
        raise _refusal(owner, name, "a finite number above 0", value)


def check_integer(owner: object, name: str, value: Any, *, low: int, high: int | None = None) -> None:
    """Refuse what is not an int from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        limit = f"an int of at least {low}" if high is None else f"an int from {low} to {high}"
        raise _refusal(owner, name, limit, value)


def check_rate_or_count(owner: Any) -> None:
    """Refuse a rate beside a count: both say how many, and one of them would go unheard."""
    usual = next(field.default for field in dataclasses.fields(owner) if field.name == "rate")
    if owner.rate != usual:
        raise SettingError(
            f"{_who(owner)}: say rate or count, not both; received rate={owner.rate!r} and count={owner.count!r}."
        )


def check_choice(owner: object, name: str, value: object, options: Sequence[str], *, otherwise: str = "") -> None:
    """Refuse what is not one of `options`; the message has the nearest, or else what to write `otherwise`."""
    if value not in options:
        near = did_you_mean(value, options) if isinstance(value, str) else ""
        hint = near if near.startswith("Did") else otherwise  # all of them are said already
        raise SettingError(f"{_who(owner)}: {name} is one of {', '.join(options)}; received {value!r}. {hint}".rstrip())


def check_names(cls: type, given: Mapping[str, object]) -> None:
    """Refuse settings that the dataclass `cls` does not have."""
    known = [field.name for field in dataclasses.fields(cls)]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, shown=12) if known else "It has none."
            raise SettingError(f"{cls.__name__} has no setting {name!r}. {hint}")


def check_positions(cls: type, given: Sequence[object]) -> None:
    """Refuse more settings by position than the dataclass `cls` takes so, and say the call by name."""
    fields = [field for field in dataclasses.fields(cls) if field.init]
    first = [field.name for field in fields if not field.kw_only]
    if len(given) <= len(first):
        return
    if first == ["operators"]:
        raise SettingError(f"{cls.__name__} takes its operators as one list. Write {cls.__name__}([first, second]).")
    by_name = ", ".join(
        f"{field.name}={said(value)}" for field, value in zip(fields, given, strict=False) if field.name not in first
    )
    call = ", ".join(filter(None, [*map(said, given[: len(first)]), by_name or "..."]))
    takes = f"takes {' and '.join(first)} by position" if first else "takes its settings by name"
    raise SettingError(f"{cls.__name__} {takes}; received {len(given)} values. Write {cls.__name__}({call}).")


def as_setting(value: Any) -> Any:
    """Return a setting as operators keep it: NumPy's and torch's single numbers as plain ones, objects as references.

    >>> import numpy as np
    >>> as_setting(np.float32(0.5)), as_setting((np.int64(2), "a"))
    (0.5, (2, 'a'))
    """
    if value is None or isinstance(value, _PLAIN):
        return cast(object, value)
    if is_layer(value) or is_tensor(value):
        return Reference(value)
    kind = cast("type[Any]", type(value))
    if kind in (tuple, list):
        return cast(Any, kind(as_setting(entry) for entry in cast("list[Any]", value)))
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        return value.item()  # a NumPy scalar, an array or tensor of one number
    return value


def setting_to_json(value: Any) -> Any:
    """Return the JSON form of one setting's value."""
    if value is None or type(value) in _PLAIN or (isinstance(value, _PLAIN) and not isinstance(value, Reference)):
        return cast(object, value)
    if _has_json(cast(Any, type(value))):
        return value.to_json()
    if isinstance(value, tuple | list):
        return [setting_to_json(v) for v in cast(Sequence[Any], value)]
    if isinstance(value, Mapping):
        return {str(k): setting_to_json(v) for k, v in cast(Mapping[Any, Any], value).items()}
    raise SettingError(f"A setting must be what JSON can hold; received {value!r} of type {type(value).__name__}.")


@functools.lru_cache(maxsize=256)
def _has_json(kind: type) -> bool:
    """Whether values of a type have a JSON form of their own: to ask a protocol takes longer than all else here."""
    return issubclass(kind, HasJson)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _who(owner: object) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__


def _refusal(owner: object, name: str, expected: str, value: object) -> SettingError:
    return SettingError(f"{_who(owner)}: {name} must be {expected}; received {value!r}.")
