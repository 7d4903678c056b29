"""What a fitness function may return, and the one number that is compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from genewright.errors import SettingError

Value = float | tuple[float, ...] | dict[str, float]
"""One number, several objectives, or numbers by name. More is better in every objective."""

FITNESS = "fitness"
_EXPECTED = "A fitness function returns a number, a tuple of numbers, or a dict of numbers by name"


def checked(given: Any) -> Value:
    """Return what a fitness function returned, as Python's own numbers.

    Args:
        given: A number, or an array or tensor of one; a tuple or list of these; a dict of these by name.

    Raises:
        SettingError: It is something else, empty, or not finite.

    Example:
        >>> checked((1, 2.5))
        (1.0, 2.5)
    """
    if isinstance(given, Mapping):
        named = cast("Mapping[Any, Any]", given)
        if not named or not all(isinstance(name, str) for name in named):
            raise SettingError(f"{_EXPECTED}; received {given!r}.")
        return {name: _number(entry, f"under {name!r}") for name, entry in named.items()}
    if isinstance(given, tuple | list):
        entries = cast("Sequence[Any]", given)
        if not entries:
            raise SettingError(f"{_EXPECTED}; received an empty {type(entries).__name__}.")
        return tuple(_number(entry, f"in place {place}") for place, entry in enumerate(entries))
    return _number(given, "")


def form_of(value: Value) -> str:
    """Say in words of what form a value is: all individuals of a run have one."""
    if isinstance(value, dict):
        return "numbers called " + ", ".join(value)
    return f"{len(value)} numbers" if isinstance(value, tuple) else "a number"


def objectives(value: Value) -> tuple[float, ...]:
    """Return the numbers that are compared: of a dict its entry "fitness", or all entries where it has none."""
    if isinstance(value, dict):
        return (value[FITNESS],) if FITNESS in value else tuple(value.values())
    return value if isinstance(value, tuple) else (value,)


def objective(value: Value, who: str) -> float:
    """Return the one number that `who` compares.

    Raises:
        SettingError: There are several.
    """
    numbers = objectives(value)
    if len(numbers) != 1:
        raise SettingError(
            f"{who} compares one number, and the fitness function returned {form_of(value)}. Return one (of a dict the "
            'entry "fitness" is compared, the others are kept beside it), or take gw.NSGA2.'
        )
    return next(iter(numbers))


def objective_or_none(value: Value | None) -> float | None:
    """Return the first of the numbers that are compared, None where there is no fitness."""
    return None if value is None else next(iter(objectives(value)))


def mean(values: Sequence[Value]) -> Value:
    """Return the mean of several evaluations, number by number; sums are exact."""
    first = values[0]
    if isinstance(first, dict):
        return {name: _mean([cast("dict[str, float]", value)[name] for value in values]) for name in first}
    if isinstance(first, tuple):
        return tuple(map(_mean, zip(*cast("Sequence[tuple[float, ...]]", values), strict=True)))
    return _mean(cast("Sequence[float]", values))


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def _number(given: Any, where: str) -> float:
    where = f" {where}" if where else ""
    entry = given
    if hasattr(entry, "item") and not isinstance(entry, str) and getattr(entry, "shape", None) in ((), (1,)):
        entry = entry.item()
    if not isinstance(entry, int | float):
        raise SettingError(f"{_EXPECTED}; received {given!r} of type {type(given).__name__}{where}.")
    if not math.isfinite(entry):
        raise SettingError(f"The fitness function returned {float(entry)}{where}: nothing can be compared with that.")
    return float(entry)
