"""What belongs to the whole process, touched so that other threads do not notice.

Settings of torch, Keras, logging and warnings hold for every thread of a process. Several of our threads may work at
once, and beside them the user's own. So nothing here is changed and put back later, which another thread would see,
and which two threads that do it at once may leave changed for good. Instead something is put in that answers otherwise
on the threads that asked for it, and on every other as what was there. It is put in by the first thread that needs it
and taken out by the last, under `LOCK`.

`LOCK` is the one lock for what no such stand-in exists for: a library that changes a setting of the process itself, and
has no argument to leave it alone. Those places hold it for that call alone, and name it:

- transformers' constructors wrap torch.nn.init, and some set torch's default dtype
  (`integrations/transformers/build_from_config`);
- operations that draw from torch's global generator only (`backends/torch/draws`);
- `gw.check_operator`, which seeds the global generators to see that no operator reads them (`conformance`).

It is reentrant, and nothing that holds it waits for another thread.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

LOCK: Final = threading.RLock()


class Here:
    """Which threads are inside a block; a thread may be inside several times.

    Example:
        >>> here = Here()
        >>> with here.inside(enter=lambda: None, leave=lambda: None):
        ...     bool(here)
        True
        >>> bool(here)
        False
    """

    def __init__(self) -> None:
        self._depths: dict[int, int] = {}

    def __bool__(self) -> bool:
        return threading.get_ident() in self._depths

    @contextmanager
    def inside(self, enter: Callable[[], object], leave: Callable[[], object]) -> Generator[None]:
        """Count this thread as inside; the first thread calls `enter` before, and the last `leave` afterwards."""
        me = threading.get_ident()
        with LOCK:
            if not self._depths:
                enter()
            self._depths[me] = self._depths.get(me, 0) + 1
        try:
            yield
        finally:
            with LOCK:
                self._depths[me] -= 1
                if not self._depths[me]:
                    del self._depths[me]
                if not self._depths:
                    leave()


class _Unheard(logging.Filter):
    """Drops the records of threads that are inside."""

    def __init__(self) -> None:
        super().__init__()
        self.here = Here()

    def filter(self, record: logging.LogRecord) -> bool:
        return not self.here


_UNHEARD: dict[str, _Unheard] = {}


@contextmanager
def unheard(logger: logging.Logger) -> Generator[None]:
    """Drop what this thread logs to `logger` inside the block: its level, its handlers and other threads stay.

    Example:
        >>> with unheard(logging.getLogger("a library")):
        ...     logging.getLogger("a library").error("nobody hears this")
    """
    with LOCK:
        stand_in = _UNHEARD.setdefault(logger.name, _Unheard())
    with stand_in.here.inside(lambda: logger.addFilter(stand_in), lambda: logger.removeFilter(stand_in)):
        yield


class OnTheseThreads:
    """What an entry of `warnings.filters` asks whether a message is meant: any, on threads that are inside."""

    def __init__(self) -> None:
        self.here = Here()

    def match(self, message: str) -> bool:
        """Whether the entry is for this message."""
        return bool(self.here)


_IGNORED: Final = OnTheseThreads()
_ENTRY: Final[tuple[Any, ...]] = ("ignore", _IGNORED, Warning, None, 0)
_ENTERED: list[list[Any]] = []  # the list of filters that holds the entry: `catch_warnings` puts another in its place


@contextmanager
def warnings_ignored() -> Generator[None]:
    """Ignore warnings that this thread gives inside the block; other threads hear theirs as before.

    `warnings.catch_warnings` replaces the filters of all threads, and two of them at once may leave them replaced. Here
    they get one entry more for a moment, which matches nothing on other threads.

    Example:
        >>> with warnings_ignored():
        ...     warnings.warn("nobody hears this", stacklevel=1)
    """
    with _IGNORED.here.inside(_enter_filter, _leave_filter):
        yield


def _enter_filter() -> None:
    filters: Any = warnings.filters
    filters.insert(0, _ENTRY)
    _ENTERED.append(filters)


def _leave_filter() -> None:
    with suppress(ValueError):  # someone has reset the filters meanwhile
        _ENTERED.pop().remove(_ENTRY)


class StandIn:
    """A name of a module that means something else on threads that are inside.

    Args:
        module: The module that looks the name up at each use.
        name: The name.
        make: Returns what takes its place, from what was there and the truth value of "this thread is inside".
    """

    def __init__(self, module: Any, name: str, make: Callable[[Any, Here], Any]) -> None:
        self._module, self._name, self._make = module, name, make
        self._here = Here()
        self._before: Any = None

    @contextmanager
    def inside(self) -> Generator[None]:
        """Let this thread see the other meaning inside the block."""
        with self._here.inside(self._enter, self._leave):
            yield

    def _enter(self) -> None:
        self._before = getattr(self._module, self._name)
        setattr(self._module, self._name, self._make(self._before, self._here))

    def _leave(self) -> None:
        setattr(self._module, self._name, self._before)
        self._before = None
