"""Journal: what brings back everything that was there before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

Restore = Callable[[], None]


class Journal:
    """What takes changes back; each entry is made before its change begins.

    Values come back from copies of the old bytes, bound to the memory that held them. Layers and attributes come back
    from copies of the dicts and lists that hold them, made once, before the first change of each.
    Every entry may run at any instant after it was made, and again: so an undo that is interrupted is begun anew.
    """

    def __init__(self) -> None:
        self._values: list[Restore] = []
        self._kept: dict[int, tuple[Any, Restore]] = {}

    def add(self, restore: Restore) -> None:
        """Note how to put old values back, wherever the model's layers go in the meantime."""
        self._values.append(restore)

    def keep(self, container: Any) -> None:
        """Remember what a dict, a list or a set holds; the first time counts."""
        if id(container) not in self._kept:
            self._kept[id(container)] = container, _content(container)

    def keep_by(self, owner: Any, restore: Restore) -> None:
        """Note how to put back what belongs to an object; the first time counts."""
        self._kept.setdefault(id(owner), (owner, restore))

    def restore(self) -> None:
        """Take back all changes, whatever interrupts it: the last one first.

        Raises:
            BaseException: An interrupt that came meanwhile, or the first failure, when all is done.
        """
        raised: BaseException | None = None
        failed: Restore | None = None
        kept, values = self._kept, self._values
        while kept or values:
            restore = next(reversed(kept.values()))[1] if kept else values[-1]
            try:
                restore()
                self._drop()
            except Exception as error:
                raised = raised or error
                if failed is restore:  # twice: this one cannot be taken back, all others are
                    self._drop()
                failed = restore
            except BaseException as error:  # an interrupt: the entry is run again
                raised = raised or error
        if raised is not None:
            raise raised

    def _drop(self) -> None:
        if self._kept:
            self._kept.popitem()
        else:
            self._values.pop()


def _content(container: Any) -> Restore:
    """Return what puts the present content of a container back; subclasses' own methods are passed by."""
    if isinstance(container, list):
        entries = cast("list[Any]", container).copy()

        def put_list() -> None:
            cast("Any", list).__setitem__(container, slice(None), entries)

        return put_list
    if isinstance(container, set):
        members = cast("set[Any]", container).copy()

        def put_set() -> None:
            cast("Any", set).clear(container)
            cast("Any", set).update(container, members)

        return put_set
    kind: Any = OrderedDict if isinstance(container, OrderedDict) else dict  # an ordered one keeps its order itself
    held = kind(container)

    def put_dict() -> None:
        kind.clear(container)
        for key, value in held.items():
            kind.__setitem__(container, key, value)

    return put_dict
