"""What objects keep between calls, put back after a run: hidden states, counters, caches.

A model may write to itself when it is called: ``self.hidden = h``, ``self.seen += 1``, ``self.cache.append(key)``. We
run the user's model to compare, to plan and to check, and the next run has to find it as this one did.
"""

from __future__ import annotations

import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any, cast

Restore = Callable[[], None]

_ATOMS = frozenset({
    bool, int, float, complex, str, bytes, type(None), type, range, slice, types.ModuleType, types.FunctionType,
    types.MethodType, types.BuiltinFunctionType,
})  # fmt: skip

_SEQUENCES: tuple[Any, ...] = (list, deque, set)


class InstanceState:
    """The state of objects at one moment: attributes, and what lists, dicts, sets and objects in them hold.

    What functions close over is left alone. Containers and attributes come back as the same objects with the same
    entries; of arrays, and of whatever else is special, the framework says how.

    Args:
        special: Is asked first about a value that was reached. It returns True where it has dealt with the value, or
            where nobody should look into it; it may add to `restores`, and call `keep_object` and
            `look_at`.
        leave: Attributes that are not looked at.
    """

    def __init__(self, special: Callable[[InstanceState, Any], bool], leave: tuple[str, ...] = ()) -> None:
        self.restores: list[Restore] = []
        self._special = special
        self._leave = leave
        self._seen: dict[int, Any] = {}  # kept alive, so that no id is given twice
        self._todo: list[Any] = []

    def keep(self, owners: Iterable[Any]) -> InstanceState:
        """Note the state of these objects, and of what can be reached from their attributes."""
        owners = list(owners)
        self._seen.update((id(owner), owner) for owner in owners)
        for owner in owners:
            self.keep_object(owner)
        while self._todo:
            value = self._todo.pop()
            if type(value) in _ATOMS or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            if not self._special(self, value):
                self._follow(value)
        return self

    def keep_object(self, owner: Any) -> None:
        """Note the attributes of one object, and look at their values later."""
        held = cast("dict[str, Any]", vars(owner))
        self._keep_dict(held, self._leave)
        self._todo += [value for key, value in held.items() if key not in self._leave]

    def look_at(self, value: Any) -> None:
        """Look at a value later."""
        self._todo.append(value)

    def put_back(self) -> None:
        """Bring back what was noted."""
        for restore in reversed(self.restores):
            restore()

    def _follow(self, value: Any) -> None:
        if isinstance(value, dict):
            held = cast("dict[Any, Any]", value)
            self._keep_dict(held)
            self._todo += held.values()
        elif isinstance(value, list | deque | set):
            self._keep_entries(cast("Any", value))
            self._todo += cast("Iterable[Any]", value)
        elif isinstance(value, tuple | frozenset):
            self._todo += cast("Iterable[Any]", value)
        elif not isinstance(value, type) and isinstance(getattr(value, "__dict__", None), dict):
            self.keep_object(value)

    def _keep_dict(self, held: dict[Any, Any], leave: tuple[str, ...] = ()) -> None:
        kind = cast("Any", OrderedDict if isinstance(held, OrderedDict) else dict)  # a subclass's methods are passed by
        before = kind(held)

        def restore() -> None:
            same = len(held) == len(before) and all(key in held for key in before)
            if same and all(held[key] is value for key, value in before.items() if key not in leave):
                return
            now = {key: held[key] for key in leave if key in held}
            kind.clear(held)
            kind.update(held, before)
            kind.update(held, now)

        self.restores.append(restore)

    def _keep_entries(self, held: Any) -> None:
        kind: Any = next(one for one in _SEQUENCES if isinstance(held, one))
        clear, fill = getattr(kind, "clear"), getattr(kind, "update" if kind is set else "extend")  # noqa: B009
        before: list[Any] = list(held)

        def restore() -> None:
            now: list[Any] = list(held)
            if len(now) != len(before) or any(one is not other for one, other in zip(now, before, strict=True)):
                clear(held)
                fill(held, before)

        self.restores.append(restore)
