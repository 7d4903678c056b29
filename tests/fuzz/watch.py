"""What is promised of any input, and how it is seen: errors of ours, in time, in bounds, nothing executed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import genewright as gw

SECONDS = 5.0  # of the processor, so that a busy machine changes nothing
FACTOR = 4
CONSTANT = 16 << 20

# What code, processes or other files would show as (docs of Python: "Audit events table").
_FORBIDDEN = (
    "exec", "compile", "import", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen",
    "pickle.find_class", "marshal.loads", "code.__new__", "function.__new__", "ctypes.dlopen", "socket.connect",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.putenv", "shutil.rmtree",
    "tempfile.mkstemp", "tempfile.mkdtemp", "urllib.Request", "webbrowser.open",
)  # fmt: skip


@dataclass(frozen=True)
class Allowed:
    """What reading an input may do besides.

    Attributes:
        events: Audit events.
        folder: Where files may be written, renamed and removed.
    """

    events: frozenset[str] = frozenset()
    folder: Path | None = None

    def covers(self, event: str, args: tuple[Any, ...]) -> bool:
        """Whether an event is allowed."""
        if event in self.events:
            return True
        paths = args[: _PATHS.get(event, 0)]
        return self.folder is not None and bool(paths) and all(self._holds(path) for path in paths)

    def _holds(self, path: Any) -> bool:
        if isinstance(path, int):  # a descriptor: the file that it stands for was opened before
            return True
        return self.folder is not None and Path(os.fsdecode(path)).absolute().is_relative_to(self.folder)


_PATHS = {"open": 1, "os.remove": 1, "os.rename": 2, "os.chmod": 1, "tempfile.mkstemp": 1}  # events -> leading paths
NOTHING = Allowed()
_state: dict[str, Any] = {"watching": None, "installed": False, "allowed": NOTHING}
_seen: list[str] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _state["watching"] != threading.get_ident():  # what frameworks do on other threads is their business
        return
    if event in _FORBIDDEN and not _state["allowed"].covers(event, args):
        _seen.append(f"{event} {args!r:.200}")
    elif event == "open":
        mode, flags = args[1], args[2]
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        writes = writes or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR)))
        if writes and not _state["allowed"].covers(event, args):
            _seen.append(f"open for writing {args!r:.200}")


def held(
    action: Callable[[], object], size: int, *, allowed: Allowed = NOTHING, constant: int = CONSTANT
) -> BaseException | None:
    """Let `action` read an input of `size` bytes; return the error of ours that it was refused with, or None.

    Raises:
        AssertionError: It broke a promise: which one is named.
    """
    if not _state["installed"]:
        sys.addaudithook(_hook)
        _state["installed"] = True
    _seen.clear()
    refusal: BaseException | None = None
    tracemalloc.start()
    try:
        with _in_time():
            _state["watching"], _state["allowed"] = threading.get_ident(), allowed
            try:
                action()
            except gw.GenewrightError as error:
                refusal = error
            finally:
                _state["watching"] = None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not _seen, f"something was executed or written: {_seen}"
    assert peak <= FACTOR * size + constant, f"{peak:,} bytes of memory for an input of {size:,}"
    return refusal


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def late(signum: int, frame: object) -> None:
        _state["watching"] = None
        raise AssertionError(f"more than {SECONDS} s of the processor's time")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
