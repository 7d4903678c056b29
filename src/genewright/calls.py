"""Calls as people write them: what is missing, too many or unknown is answered with the call to write."""

from __future__ import annotations

import difflib
import functools
import inspect
from abc import ABCMeta
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from genewright.errors import SettingError
from genewright.names import did_you_mean

_P = ParamSpec("_P")
_R = TypeVar("_R")
_ROOMS = {
    "fitness": "gw.fitness.",
    "neurons": "gw.neurons.",
    "mutation_testing.criteria": "gw.testing.",
    "mutation_testing.keras_on": "gw.testing.",
}


def answered(
    example: str = "", hints: Mapping[str, str] | None = None, *, who: str = ""
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a call that does not fit a function's signature a `SettingError` that shows the fixed call.

    Args:
        example: The call as it should be written; by default the function with what it needs.
        hints: More to say, by the name of the unknown argument; "" for any that is near no known one, "*" for values
            by position beyond the last.
        who: The function as its users write it; by default a function of gw.

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
        named = who or f"gw.{function.__name__}"

        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return function(*args, **kwargs)
            except TypeError:  # of the call, or of what it did?
                unfit = _unfit(signature, args, kwargs)
                if unfit is None:
                    raise
            raise _refusal(named, signature, kwargs, unfit, example, hints or {})

        return call

    return decorate


def answered_methods(cls: type) -> None:
    """Make the public methods that a class defines answer a call that does not fit."""
    for name, value in list(vars(cls).items()):
        if not name.startswith("_") and inspect.isfunction(value):
            setattr(cls, name, answered(who=f"{cls.__name__}.{name}")(value))
        elif not name.startswith("_") and isinstance(value, classmethod):
            inner = cast("Callable[..., Any]", cast(Any, value).__func__)
            setattr(cls, name, classmethod(answered(who=f"gw.{cls.__name__}.{name}")(inner)))


class Answering(ABCMeta):
    """Metaclass of classes that users make objects of: settings that do not fit are answered with the call to write.

    A class may have `made_by`, the call that makes its objects where users do not, and `looked_for`, what to write by
    names that they try.
    """

    @property
    def __signature__(cls) -> inspect.Signature:
        """What `inspect.signature` says: by which settings objects are made, not that of the call below."""
        return making(cls)

    if not TYPE_CHECKING:  # what a call takes is read off the class

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().__call__(*args, **kwargs)
            except TypeError:
                unfinished = getattr(cls, "__abstractmethods__", ())
                signature = making(cls)
                unfit = None if unfinished else _unfit(signature, args, kwargs)
                if unfit is None and not unfinished:
                    raise
            if made_by := getattr(cls, "made_by", ""):
                raise SettingError(f"{called(cls)} is what {made_by} returns; it is not made by hand. Write {made_by}.")
            if unfinished:
                writes = ", ".join(sorted(unfinished))
                raise SettingError(f"{called(cls)} is a base to derive from: a class of yours writes {writes}.")
            raise _refusal(called(cls), signature, kwargs, unfit, "", getattr(cls, "looked_for", {}))


def making(cls: type) -> inspect.Signature:
    """Return the signature by which objects of a class are made, without the object itself."""
    if cls.__init__ is object.__init__:
        return inspect.Signature()
    signature = inspect.signature(cls.__init__)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def called(cls: type) -> str:
    """Return a class as its users write it.

    >>> from genewright.errors import SettingError
    >>> called(SettingError)
    'gw.SettingError'
    """
    package, _, inside = cls.__module__.partition(".")
    if package != "genewright":
        return cls.__qualname__.rsplit(".", 1)[-1]
    return next((room for name, room in _ROOMS.items() if inside.startswith(name)), "gw.") + cls.__name__


def _unfit(signature: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str | None:
    """Return what Python says of arguments that do not fit a signature; None where they do."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def _refusal(
    who: str,
    signature: inspect.Signature,
    given: Mapping[str, object],
    said: str,
    example: str,
    hints: Mapping[str, str],
) -> SettingError:
    end = "" if example.endswith(".") else "."
    return SettingError(
        f"{who} {_trouble(signature, given, hints, said)} Write {example or _least(who, signature)}{end}"
    )


def _least(who: str, signature: inspect.Signature) -> str:
    """Return the shortest call that fits: what has no default, by name where it must be."""
    needed: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.default is parameter.empty and parameter.name not in ("self", "cls"):
            if parameter.kind is parameter.KEYWORD_ONLY:
                needed.append(f"{parameter.name}=...")
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                needed.append(parameter.name)
    return f"{who}({', '.join(needed)})"


def _trouble(signature: inspect.Signature, given: Mapping[str, object], hints: Mapping[str, str], said: str) -> str:
    known = [name for name in signature.parameters if name not in ("self", "cls")]
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        given = {}
    for name in given:
        if name not in known:
            near = did_you_mean(name, known, shown=12) if known else "It takes none."
            sure = difflib.get_close_matches(name, known, n=1, cutoff=0.75)  # "operators", but not "std" for "seed"
            fitting = hints.get(name) or ("" if sure else hints.get("")) or near
            return f"has no argument {name!r}. {fitting}"
    if "missing" in said:
        return f"is {said}."
    by_position = [
        p.name
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name in known
    ]
    takes = f"takes {', '.join(by_position)} by position" if by_position else "takes nothing by position"
    named = [name for name in known if name not in by_position]
    more = hints.get("*") or (f"By name: {', '.join(named)}." if named else "")
    return f"{takes}, and received more. {more}".rstrip()
