"""Calls as people write them: what is missing, too many or unknown is answered with the call to write."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from genewright.errors import SettingError
from genewright.names import did_you_mean

_P = ParamSpec("_P")
_R = TypeVar("_R")


def answered(example: str, hints: dict[str, str] | None = None) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a call that does not fit a function's signature a `SettingError` that shows the fixed call.

    Args:
        example: The call as it should be written.
        hints: More to say, by the name of the unknown argument; "*" for values by position beyond the last.

    Example:
        >>> @answered("gw.halve(3)")
        ... def halve(x: float) -> float:
        ...     return x / 2
        >>> halve(y=3)
        Traceback (most recent call last):
        genewright.errors.SettingError: gw.halve has no argument 'y'. There are: x. Write gw.halve(3).
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return function(*args, **kwargs)
            except TypeError:  # of the call, or of what it did?
                unfit = _unfit(signature, args, kwargs)
                if unfit is None:
                    raise
            trouble = _trouble(signature, tuple(kwargs), hints or {}, unfit)
            raise SettingError(f"gw.{function.__name__} {trouble} Write {example}.")

        return call

    return decorate


def _unfit(signature: inspect.Signature, args: tuple[object, ...], kwargs: dict[str, object]) -> str | None:
    """Return what Python says of arguments that do not fit a signature; None where they do."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def _trouble(signature: inspect.Signature, given: tuple[str, ...], hints: dict[str, str], said: str) -> str:
    known = list(signature.parameters)
    for name in given:
        if name not in known:
            return (
                f"has no argument {name!r}. {hints.get(name) or hints.get('') or did_you_mean(name, known, shown=12)}"
            )
    if "missing" in said:
        return f"is {said}."
    by_position = [p.name for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return f"takes {', '.join(by_position)} by position, and received more. {hints.get('*', '')}".rstrip()
