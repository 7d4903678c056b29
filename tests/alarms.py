"""Real signals that interrupt as Ctrl-C does, or with another exception, and only where a test waits for them.

The system may hand a signal to any thread, so that it arrives a little after its timer was stopped; one that comes
behind the block then says nothing, where a KeyboardInterrupt would end the whole test run. And one that comes while
Python runs a finaliser goes no further than the report of it, which is no fault of what is tested.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_state = {"armed": False}


@contextmanager
def alarms(raised: type[BaseException] = KeyboardInterrupt) -> Iterator[None]:
    """Have SIGALRM raise an exception, within a block of `interrupted_after` only."""

    def interrupt(number: int, frame: Any) -> None:
        if _state["armed"]:
            raise raised

    def report(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, raised):
            reported(unraisable)

    before, reported = signal.signal(signal.SIGALRM, interrupt), sys.unraisablehook
    sys.unraisablehook = report
    try:
        yield
    finally:
        sys.unraisablehook = reported
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


def at_many_instants(
    number: int, prepare: Callable[[], T], work: Callable[[T], object], check: Callable[[T], object]
) -> int:
    """Interrupt `work` at instants from its beginning to a little behind its end; `check` what each one left.

    How long the work takes is taken anew from every run that ended before its signal: a machine may be three times as
    fast as a moment ago, and the signals still come inside.

    Returns:
        How many came inside.
    """
    lengths: list[float] = []
    for _ in range(20):  # the first ones are slow
        subject = prepare()
        begun = time.perf_counter()
        work(subject)
        lengths.append(time.perf_counter() - begun)
        check(subject)
    usual = sorted(lengths)[5]
    inside = 0
    for instant in range(1, number + 1):
        subject = prepare()
        begun = time.perf_counter()
        try:
            with interrupted_after(1.2 * usual * instant / number):
                work(subject)
        except KeyboardInterrupt:
            inside += 1
        else:
            usual = time.perf_counter() - begun
        check(subject)
    return inside
