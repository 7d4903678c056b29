"""Plain data: what a recipe may set, and which of it may take the place of what is there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from genewright.errors import RecipeError, SettingError, UnsupportedError

MOST_LEVELS = 32  # of what lies in what, in whatever is read from a file


def plain(value: Any, depth: int = 0) -> Any:
    """Return plain data: None, bools, finite numbers, text, and lists and dicts of these; tuples become lists.

    Raises:
        RecipeError: Something else is in it, or more lists lie in each other than `MOST_LEVELS`.

    Example:
        >>> plain((1, {"a": None}))
        [1, {'a': None}]
    """
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return cast(object, value)
    if depth < MOST_LEVELS and isinstance(value, list | tuple):
        return [plain(entry, depth + 1) for entry in cast("list[Any]", value)]
    if depth < MOST_LEVELS and isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value).items()
        if all(isinstance(key, str) for key, _ in entries):
            return {key: plain(entry, depth + 1) for key, entry in entries}
    raise RecipeError(f"The recipe is damaged: {type(cast(object, value)).__name__} is no plain data.")


def check_name(part: str, path: str, who: str) -> None:
    """Refuse a step of a dotted path that is private.

    Raises:
        UnsupportedError: It begins or ends with an underscore, or is empty.
    """
    if not part or part.startswith("_") or part.endswith("_"):
        raise UnsupportedError(
            f"{who}: {path!r} cannot be set: {part!r} is a private name. A recipe sets plain data under public names."
        )


def fitting(value: Any, old: Any, what: str) -> Any:
    """Return `value` in the form in which it can take the place of `old`.

    | old | new |
    |---|---|
    | None | None or a number |
    | bool, int, str | the same type |
    | float | a finite float or int, as a float |
    | list, tuple | a list or tuple of what fits an old entry; it becomes the old type |
    | dict | a dict with the same keys, each value fitting the old one |
    | dict numbered from 0, of text (labels by class) | a list of text; it becomes such a dict |
    | dict from text to the numbers from 0 (classes by label) | such a dict |

    Args:
        value: The new value, as JSON holds it.
        old: What is there now.
        what: What to call it in messages.

    Raises:
        SettingError: It does not fit.

    Example:
        >>> fitting([5, 5], (3, 3), "kernel_size")
        (5, 5)
    """
    return _fitting(value, old, what, 0)


def _fitting(value: Any, old: Any, what: str, level: int) -> Any:
    if level > MOST_LEVELS:
        raise SettingError(f"{what}: more than {MOST_LEVELS} lists lie in each other.")
    if _is_sequence(old) and type(value) in (list, tuple):
        entries = [_entry(one, old, place, f"{what}.{place}", level) for place, one in enumerate(value)]
        return entries if isinstance(old, list) else _like_tuple(entries, old)
    if _is_numbered(old) and _is_texts(value):
        return dict(enumerate(cast("list[str]", value)))
    if _is_numbering(old) and _is_numbering(value):
        return dict(value)
    if _has_keys_of(value, old):
        return {key: _fitting(value[key], old[key], f"{what}.{key}", level + 1) for key in old}
    if _is_scalar(value, old):
        return float(value) if type(old) is float else value
    raise SettingError(
        f"{what}: expected what can take the place of {_shown(old)} (a {_kind(old)}); received {_shown(value)} "
        f"(a {_kind(value)})."
    )


def _is_sequence(old: Any) -> bool:
    return isinstance(old, list | tuple)


def _has_keys_of(value: Any, old: Any) -> bool:
    return isinstance(old, dict) and type(value) is dict and cast(Any, old).keys() == cast(Any, value).keys()


def _is_numbered(old: Any) -> bool:
    """Whether it is a dict {0: "cat", 1: "dog"}."""
    known: dict[Any, Any] = cast("dict[Any, Any]", old) if type(old) is dict else {}
    return bool(known) and list(known) == list(range(len(known))) and all(type(one) is str for one in known.values())


def _is_texts(value: Any) -> bool:
    return type(value) is list and all(type(one) is str for one in cast("list[Any]", value))


def _is_numbering(value: Any) -> bool:
    """Whether it is a dict {"cat": 0, "dog": 1}."""
    known: dict[Any, Any] = cast("dict[Any, Any]", value) if type(value) is dict else {}
    whole = all(type(key) is str and type(number) is int for key, number in known.items())
    return bool(known) and whole and sorted(known.values()) == list(range(len(known)))


def _is_scalar(value: Any, old: Any) -> bool:
    if type(value) is float and not math.isfinite(value):
        return False
    if old is None:
        return value is None or type(value) in (int, float)
    if type(old) is float:
        return type(value) in (int, float)
    return type(old) in (bool, int, str) and type(value) is type(old)


def _entry(value: Any, before: Sequence[Any], place: int, what: str, level: int) -> Any:
    """Return an entry that fits the one in its place, or else any other; what follows an empty list is a scalar."""
    if not before:
        return _fitting(value, value if isinstance(value, bool | int | float | str) else None, what, level + 1)
    first = before[place] if place < len(before) else before[-1]
    if type(value) is type(first) or type(value) in (list, tuple, dict):
        return _fitting(value, first, what, level + 1)
    other = next((old for old in before if type(old) is type(value)), first)
    return _fitting(value, other, what, level + 1)


def _like_tuple(entries: list[Any], old: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a tuple of the old one's type: a torch.Size or a named tuple stays one."""
    kind: Any = type(old)
    if kind is tuple:
        return tuple(entries)
    if hasattr(kind, "_fields"):
        if len(entries) != len(old):
            raise SettingError(f"A {kind.__name__} has {len(old)} entries; received {len(entries)}.")
        return cast(Any, tuple).__new__(kind, entries)
    return kind(entries)


def _kind(value: object) -> str:
    return type(value).__name__


def _shown(value: Any) -> str:
    shown = value is None or type(value) in (bool, int, float, str, list, tuple, dict)
    text = repr(value) if shown else "an object"
    return text if len(text) <= 60 else text[:57] + "..."
