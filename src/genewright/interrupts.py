"""Signals that wait: a handler that raises, as Ctrl-C's does, never does so while bytes are half changed.

Python runs signal handlers in the main thread, between any two instructions, also at the first one of an ``__exit__``
or of an undo: so no ``try`` is safe from them. While work is in progress our handler stands in front of the user's. It
looks at what was interrupted: within a function that is `shielded` the signal is noted, and handed on as soon as that
function has ended; anywhere else, the user's code in a ``with`` block above all, it is handed on at once.
"""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_NAMES = ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGPROF")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_RAW: Any = importlib.import_module(
    "_signal"
)  # what `signal` wraps: without its enumerations, which take ten times as long
_shielded: set[CodeType] = set()


def shielded(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let signals wait until `function` has ended, wherever an `Interrupts` is in force."""
    _shielded.add(function.__code__)
    return function


class Interrupts:
    """Our handler, in front of those that the user has set; enter it before the first change, leave it after the last.

    In other threads than the main one it does nothing, for no handler ever runs there.

    Attributes:
        hold: Let signals wait wherever they come: a change is under way that nothing could take back.
    """

    __slots__ = ("_old", "_waiting", "hold")

    def __init__(self) -> None:
        self.hold = False
        self._old: dict[int, Any] = {}
        self._waiting: list[tuple[int, FrameType | None]] = []

    @shielded
    def enter(self) -> None:
        """Stand in front of the handlers that are written in Python."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            handler = _RAW.getsignal(number)
            if callable(handler):
                self._old[number] = handler
                _RAW.signal(number, self._handle)

    @shielded
    def leave(self) -> None:
        """Step aside; what has waited is handed on by `deliver`."""
        for number, handler in self._old.items():
            if _RAW.getsignal(number) == self._handle:  # else somebody has set another since
                _RAW.signal(number, handler)

    def deliver(self) -> None:
        """Hand on the signals that have waited: their handlers may raise here."""
        while self._waiting:
            number, frame = self._waiting.pop(0)
            self._old[number](number, frame)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        inner = frame
        while inner is not None:
            if self.hold or inner.f_code in _shielded:
                self._waiting.append((number, frame))
                return
            inner = inner.f_back
        self._old[number](number, frame)
