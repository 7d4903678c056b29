"""Signals that wait: a handler that raises, as Ctrl-C's does, never does so while bytes are half changed.

Python runs signal handlers in the main thread, between any two instructions, also at the first one of an ``__exit__``
or of an undo: so no ``try`` is safe from them. While work is in progress our handler stands in front of the user's. It
looks at what was interrupted: within a function that is `shielded`, as all of a transaction is, the signal is noted,
and handed on at the next `checkpoint`; anywhere else, the user's code in a ``with`` block above all, it is handed on at
once. So contexts of torch, which it could leave half way, are only ever left by ordinary exceptions.

A checkpoint may lie where errors are taken for an answer: "the model does not run like this". So what a handler raised
is remembered, and raised again at every further checkpoint and at the end, until it has left the work: whoever caught
it on the way, and whatever was concluded from it.
"""

from __future__ import annotations

import functools
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
_active: list[Interrupts] = []  # of the main thread, the innermost last


def shielded(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let signals wait until `function` has ended, wherever an `Interrupts` is in force."""
    _shielded.add(function.__code__)
    return function


def hearing(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let signals wait while `function` runs a model outside of a transaction, up to its checkpoints and its end.

    What a handler raises leaves the call as it is, of whatever type, and is not taken for an error of the model.
    """
    _shielded.add(function.__code__)

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        interrupts = Interrupts()
        interrupts.enter()
        error: BaseException | None = None
        try:
            return function(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            interrupts.leave()
            interrupts.deliver(error)

    _shielded.add(call.__code__)
    return functools.wraps(function)(call)


def checkpoint() -> None:
    """Hand on signals that have waited: whoever calls it may be left by an exception here.

    Long work that is shielded calls it now and then, so that Ctrl-C is heard soon and no context is left half way.
    """
    if _active and _active[-1].waits() and threading.current_thread() is threading.main_thread():
        _active[-1].deliver(None)


class Interrupts:
    """Our handler, in front of those that the user has set; enter it before the first change, leave it after the last.

    In other threads than the main one it does nothing, for no handler ever runs there.

    Attributes:
        hold: Let signals wait wherever they come: a change is under way that nothing could take back.
        remembers: What a handler raises has to leave this work, also where it was raised in one inside it. Not so once
            the caller's own code runs inside, as in a ``with`` block: that may catch it.
    """

    __slots__ = ("_old", "_raised", "_waiting", "hold", "remembers")

    def __init__(self) -> None:
        self.hold = False
        self.remembers = True
        self._raised: BaseException | None = None  # by a handler; it has not left yet
        self._old: dict[int, Any] = {}
        self._waiting: list[tuple[int, FrameType | None]] = []

    @shielded
    def enter(self) -> None:
        """Stand in front of the handlers that are written in Python."""
        if threading.current_thread() is not threading.main_thread():
            return
        try:
            _active.append(self)
            for number in _SIGNALS:
                handler = _RAW.getsignal(number)
                if callable(handler):
                    self._old[number] = handler
                    _RAW.signal(number, self._handle)
        except BaseException as error:  # of the user's handler, which ours did not stand in front of yet
            self.leave()
            self.deliver(error)
            raise

    @shielded
    def leave(self) -> None:
        """Step aside; what has waited is handed on by `deliver`."""
        if self in _active:
            _active.remove(self)
            if _active:
                _active[-1].remember(self._raised)
        raised: BaseException | None = None
        left = False
        while not left:
            try:
                for number, handler in self._old.items():
                    if _RAW.getsignal(number) == self._handle:  # else somebody has set another since
                        _RAW.signal(number, handler)
                left = True
            except BaseException as error:  # of a handler that stands in its place again, while others do not yet
                raised = raised or error
        if raised is not None:
            raise raised

    def remember(self, raised: BaseException | None) -> None:
        """Raise what a handler raised again, until it leaves this work."""
        if self.remembers and raised is not None:
            self._raised = raised

    def waits(self) -> bool:
        """Whether a signal waits that may be handed on now, or what a handler raised has been caught."""
        return not self.hold and (self._raised is not None or bool(self._waiting))

    def deliver(self, leaving: BaseException | None) -> None:
        """Hand on the signals that have waited: their handlers may raise here.

        Args:
            leaving: What leaves the work already.

        Raises:
            BaseException: What a handler raised, now or before, unless it is what leaves.
        """
        while self._waiting:
            number, frame = self._waiting.pop(0)
            handler = self._old[number]
            while isinstance(getattr(handler, "__self__", None), Interrupts):  # a block in a block: the user's own
                handler = handler.__self__._old[number]
            try:
                handler(number, frame)
            except BaseException as raised:
                self.remember(raised)
                raise
        raised = self._raised
        if raised is not None and raised is not leaving:
            context = raised.__context__
            try:
                raise raised
            finally:
                raised.__context__ = context  # not the error that somebody made of it

    def _handle(self, number: int, frame: FrameType | None) -> None:
        inner = frame
        while inner is not None:
            if self.hold or inner.f_code in _shielded:
                self._waiting.append((number, frame))
                return
            inner = inner.f_back
        self._old[number](number, frame)
