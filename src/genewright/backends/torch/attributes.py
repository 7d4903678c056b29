"""Reading and setting what a dotted path leads to: attributes, entries of lists, of tuples and of dicts."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence
from typing import Any, cast

from torch import nn

from genewright.errors import UnknownNameError
from genewright.journal import Journal
from genewright.names import did_you_mean


def value_at(owner: Any, path: str) -> Any:
    """Return what `path` leads to from `owner`, such as "config.layer_types.0".

    Raises:
        UnknownNameError: Something on the way is not there.
    """
    for part in path.split("."):
        owner = _step(owner, part)
    return owner


def set_value(owner: Any, path: str, value: Any, journal: Journal) -> None:
    """Set what `path` leads to; the journal remembers what holds it.

    An entry of a tuple gives a new tuple in its place; a list given for a tuple becomes one.

    Raises:
        UnknownNameError: It is not there: only what exists is set.
    """
    head, _, last = path.rpartition(".")
    holder = value_at(owner, head) if head else owner
    old = _step(holder, last)
    new = _like(value, old)
    if isinstance(holder, tuple):
        position = int(last)
        entries = cast("tuple[Any, ...]", holder)
        set_value(owner, head, (*entries[:position], new, *entries[position + 1 :]), journal)
        return
    _put(holder, last, new, journal)


def _step(owner: Any, part: str) -> Any:
    if isinstance(owner, MutableMapping):
        known = {str(key): entry for key, entry in cast("MutableMapping[Any, Any]", owner).items()}
        if part in known:
            return known[part]
    elif isinstance(owner, tuple | MutableSequence):
        if part.isdecimal() and int(part) < len(cast("list[Any]", owner)):
            return cast("list[Any]", owner)[int(part)]
    elif hasattr(owner, part):
        return getattr(owner, part)
    names = [name for name in dir(cast(object, owner)) if not name.startswith("_")]
    raise UnknownNameError(f"A {type(cast(object, owner)).__name__} has no {part!r}. {did_you_mean(part, names)}")


def _put(holder: Any, part: str, value: Any, journal: Journal) -> None:
    if isinstance(holder, MutableMapping):
        journal.keep(holder)
        entries = cast("MutableMapping[Any, Any]", holder)
        entries[next(key for key in entries if str(key) == part)] = value
    elif isinstance(holder, MutableSequence):
        journal.keep(holder)
        holder[int(part)] = value
    elif isinstance(holder, nn.Module) or hasattr(holder, "__dict__"):
        journal.keep(vars(holder))
        setattr(holder, part, value)
    else:
        object.__setattr__(holder, part, value)


def _like(value: Any, old: Any) -> Any:
    if isinstance(value, list) and isinstance(old, tuple):
        return tuple(cast("list[Any]", value))
    return cast(Any, value)
