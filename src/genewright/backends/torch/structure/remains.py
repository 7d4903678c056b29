"""What a run leaves behind outside of its module: found, and taken away again.

A copy takes its own attributes with it when it goes. A cache of the code itself (`functools.lru_cache`, a dictionary
or a name of a Python module, an attribute of a class) stays, and would hand a tensor without values to the user's next
run; so does what a hook collects. So every tensor that a run makes is known weakly, and those that outlive its copy
are taken out of what holds them. A `lru_cache` is emptied, which all who call it have to expect; lists and sets lose
what was added. What else holds one gets it as the user's own run would: it is emptied, and the module runs for real.
"""

from __future__ import annotations

import functools
import gc
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genewright.errors import UnsupportedError

_CACHE: Final[Any] = type(functools.lru_cache(len))
_DEEPEST: Final = 4  # a cached tuple of cosines and sines; an object that holds such a tuple
_HOLDERS: Final = (_CACHE, dict, list, set, deque, types.CellType)
_LEFT_OUT: Final = (types.FrameType, types.GeneratorType, types.ModuleType, types.FunctionType, types.MethodType)


class RemainsError(UnsupportedError):
    """A run leaves tensors where they cannot be taken away."""


class Watch(TorchDispatchMode):
    """A mode that knows, weakly, the tensors that are made while it is on."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._made: list[weakref.ref[torch.Tensor]] = []

    def note(self, func: Any, result: Any) -> None:
        """Remember what an operation returned; one that works in place returns what it was given."""
        if isinstance(result, torch.Tensor):
            if not func._schema.is_mutable:
                self._made.append(weakref.ref(result))
        elif isinstance(result, tuple | list):
            for one in cast("Sequence[Any]", result):
                self.note(func, one)

    def tell(self, other: Watch) -> None:
        """Have another one know the tensors too, also those of later operations."""
        self._made = other._made

    def note_given(self, example: Any) -> None:
        """Remember the stand-ins for the tensors of the example."""
        self._made += [weakref.ref(leaf) for leaf in tree_leaves(example) if isinstance(leaf, torch.Tensor)]

    def alive(self) -> list[Any]:
        """Return the tensors that something holds."""
        return [tensor for tensor in (made() for made in self._made) if tensor is not None]


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a tensor is held: an entry of a dictionary, an attribute of a class, a variable of a function around.

    Names of modules and classes exist before they are filled, as None; entries of other dictionaries do not.
    """

    holder: Any
    key: Any

    @property
    def is_name(self) -> bool:
        holder: Any = self.holder
        return not isinstance(holder, dict) or "__name__" in holder

    def empty(self, *, absent: bool) -> None:
        if isinstance(self.holder, types.CellType):
            self.holder.cell_contents = None
        elif isinstance(self.holder, type):
            setattr(self.holder, self.key, None)
            if absent:
                delattr(self.holder, self.key)
        elif absent:
            self.holder.pop(self.key, None)
        else:
            self.holder[self.key] = None

    def __str__(self) -> str:
        if isinstance(self.holder, types.CellType):
            return "a variable of an outer function"
        if isinstance(self.holder, type):
            return f"{self.holder.__name__}.{self.key}"
        return f"{self.holder['__name__']}.{self.key}" if self.is_name else f"the entry {self.key!r} of a dictionary"


def put_back(watch: Watch, refill: Callable[[], Watch], known: Sequence[Any], *, over: bool = True) -> tuple[Any, ...]:
    """Take the tensors of a run away from all that holds them when it is over.

    Args:
        watch: What was on while it ran.
        refill: Runs the unchanged module for real; returns what was on.
        known: What was seen to hold tensors of earlier runs.
        over: Nothing of the run is in use any more. Else only what is known is looked at.

    Returns:
        What is known now.

    Raises:
        RemainsError: They cannot be taken away; what holds them is named.
    """
    if not watch.alive():
        return tuple(known)
    _take_away(watch, known, refill)
    if over and watch.alive():
        gc.collect()  # a copy whose layers know each other goes only so
        caches = [holder for holder in _holders(watch.alive(), _containers) if isinstance(holder, _CACHE)]
        clear(caches)  # first: what a cache holds is its own
        others = _holders(watch.alive(), _tuples)
        _take_away(watch, others, refill)
        known = [*known, *caches, *others]
    if over and watch.alive():
        raise _refusal(())
    return tuple(known)


def _take_away(watch: Watch, known: Sequence[Any], refill: Callable[[], Watch]) -> None:
    clear(known)
    ours = {id(tensor) for tensor in watch.alive()}
    for holder in known:
        _shorten(holder, ours)
    places = [place for holder in known for place in _places(holder, ours)]
    if places:
        made = {id(tensor) for tensor in _refilled(places, refill).alive()}
        for holder in known:
            _shorten(holder, made)


def clear(known: Sequence[Any]) -> None:
    """Empty the `lru_cache`s among what holds tensors of a run."""
    for holder in known:
        if isinstance(holder, _CACHE):
            holder.cache_clear()


def _shorten(holder: Any, ours: set[int]) -> None:
    """Take what was added to a list or set, as hooks that collect outputs do, out of it."""
    if isinstance(holder, set):
        entries = cast("set[Any]", holder)
        entries -= {entry for entry in entries if _has(entry, ours)}
    elif isinstance(holder, list | deque):
        ordered = cast("list[Any]", holder)
        for at in reversed([at for at, entry in enumerate(ordered) if _has(entry, ours)]):
            del ordered[at]


def _refilled(places: Sequence[_Place], refill: Callable[[], Watch]) -> Watch:
    """Empty places, and have the module fill them: first as they usually are before, then the other way."""
    refusal = _refusal(places)
    for usual in (True, False):
        for place in places:
            place.empty(absent=place.is_name != usual)
        try:
            return refill()
        except Exception:  # None where this code expects no entry, or no entry where it expects None
            continue
    for place in places:
        place.empty(absent=not place.is_name)
    raise refusal


def _refusal(places: Sequence[_Place]) -> RemainsError:
    held = ", ".join(dict.fromkeys(map(str, places))) or "an object that cannot be looked into"
    return RemainsError(
        f"A run of this module leaves tensors behind in {held}, where they cannot be replaced. Keep them in the module "
        "(an attribute or a buffer), or behind functools.lru_cache. Nothing has been changed."
    )


def _referrers(held: list[Any]) -> list[Any]:
    return gc.get_referrers(*held) if held else []


def _holders(held: list[Any], through: Callable[[Any], bool]) -> list[Any]:
    """Return what holds objects, or a container with one of them: caches, dictionaries, lists, sets, classes, cells."""
    found: dict[int, Any] = {}
    for _ in range(_DEEPEST):
        outer: list[Any] = []
        for holder in _referrers(held):
            if holder is held or holder is outer or isinstance(holder, _LEFT_OUT):
                continue
            if through(holder):
                outer.append(holder)
            kept: Any = holder if isinstance(holder, _HOLDERS) else getattr(holder, "__dict__", None)
            if kept is not None:  # an object's own, where Python had made none yet
                found.setdefault(id(kept), kept)
        held = outer
    return [_class_of(holder) for holder in found.values()]


def _containers(holder: Any) -> bool:
    return not isinstance(holder, type | torch.nn.Module | _CACHE) and not _is_namespace(holder)


def _tuples(holder: Any) -> bool:
    return isinstance(holder, tuple)


def _is_namespace(holder: Any) -> bool:
    return isinstance(holder, dict) and ("__name__" in holder or "__module__" in holder)


def _class_of(holder: Any) -> Any:
    """Return the class whose attributes a dictionary holds, for only the class may change them; others as they are."""
    if not isinstance(holder, dict) or "__module__" not in holder:
        return cast(Any, holder)
    owners = [one for one in gc.get_referrers(cast(Any, holder)) if isinstance(one, type)]
    return cast(Any, owners[0] if owners else holder)


def _places(holder: Any, ours: set[int]) -> Iterator[_Place]:
    if isinstance(holder, types.CellType):
        if _has(holder.cell_contents, ours):
            yield _Place(holder, None)
    elif isinstance(holder, dict | type):
        entries = cast("dict[Any, Any]", holder if isinstance(holder, dict) else vars(holder))
        for key, entry in list(entries.items()):
            if _has(entry, ours):
                yield _Place(holder, key)


def _has(entry: Any, ours: set[int]) -> bool:
    return id(entry) in ours or (isinstance(entry, tuple) and any(_has(one, ours) for one in cast("Any", entry)))
