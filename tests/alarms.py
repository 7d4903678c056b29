"""Real signals that interrupt as Ctrl-C does, or with another exception, and only where a test waits for them.

The system may hand a signal to any thread, so that it arrives a little after its timer was stopped; one that comes
behind the block then says nothing, where a KeyboardInterrupt would end the whole test run.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_state = {"armed": False}


@contextmanager
def alarms(raised: type[BaseException] = KeyboardInterrupt) -> Iterator[None]:
    """Have SIGALRM raise an exception, within a block of `interrupted_after` only."""

    def interrupt(number: int, frame: Any) -> None:
        if _state["armed"]:
            raise raised

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Send one SIGALRM after some seconds of wall time, unless the block has ended; put the ``try`` around it."""
    _state["armed"] = True
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        _state["armed"] = False
        signal.setitimer(signal.ITIMER_REAL, 0)
