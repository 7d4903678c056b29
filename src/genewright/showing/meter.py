"""Meter: how much of a long work is done and how long the rest will take, in one line that changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from html import escape
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

_Item = TypeVar("_Item")
_WIDTH = 24
_EVERY = 0.1  # seconds between two changes of the line


class Line(Protocol):
    """A line that changes."""

    def show(self, text: str) -> None:
        """Put another text in its place."""
        ...

    def close(self) -> None:
        """Leave the last text where it is."""
        ...


def open_line() -> Line:
    """Open a line that changes: under a notebook's cell, else on standard error."""
    return _NotebookCell() if _in_notebook() else _Terminal()


class Meter:
    """Shows how far a work is, on standard error or under a notebook's cell; nothing where it is not wanted.

    Args:
        what: The work, as its users call it.
        wanted: Whether it is shown.

    Example:
        >>> with Meter("gw.compare", False) as meter:
        ...     sum(meter.each([1, 2, 3], 3))
        6
    """

    def __init__(self, what: str, wanted: bool) -> None:
        self._what = what
        self._wanted = bool(wanted)
        self._line: Line | None = None
        self._since = self._shown = 0.0
        self._low, self._high = 0.0, 1.0

    @property
    def shows(self) -> bool:
        """Whether anybody sees it: only then is it worth counting."""
        return self._line is not None

    def __enter__(self) -> Self:
        if self._wanted:
            self._since = time.monotonic()
            self._line = open_line()
            self._line.show(in_words(self._what, 0.0, 0.0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            spent = time.monotonic() - self._since
            self._line.show(in_words(self._what, 1.0, spent) if error is None else f"{self._what}  ended by an error")
            self._line.close()
            self._line = None

    def within(self, low: float, high: float) -> None:
        """From now on, let `at` count between two shares of the whole."""
        self._low, self._high = low, high

    def at(self, done: float, total: float | None = 1.0) -> None:
        """Say how much is done, of how much; of a total of None, nobody knows."""
        if self._line is None:
            return
        now = time.monotonic()
        if now - self._shown >= _EVERY:
            self._shown = now
            share = None if not total else self._low + (self._high - self._low) * min(done / total, 1.0)
            self._line.show(in_words(self._what, share, now - self._since, count=done))

    def each(self, items: Iterable[_Item], total: int | None) -> Iterator[_Item]:
        """Yield items, and count them once they are dealt with."""
        for done, item in enumerate(items):
            self.at(done, total)
            yield item


def in_words(what: str, share: float | None, seconds: float, *, count: float = 0) -> str:
    """Say a share in one line, with the time that is left if all goes on as it did.

    >>> in_words("gw.mutate", 0.25, 30.0)
    'gw.mutate  ██████░░░░░░░░░░░░░░░░░░  25 %  1:30 left'
    """
    if share is None:
        return f"{what}  {count:,.0f} done  {clock(seconds)}"
    full = int(share * _WIDTH)
    bar = "█" * full + "░" * (_WIDTH - full)
    if share >= 1:
        left = f"{clock(seconds)} in all"
    else:
        left = f"{clock(seconds * (1 - share) / share)} left" if share > 0 else ""
    return f"{what}  {bar}  {int(share * 100)} %  {left}".rstrip()


def clock(seconds: float) -> str:
    """Return a time as a clock shows it.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell: Any = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


class _Terminal:
    """A line of standard error; where that is no terminal, the last state alone."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self._console, self._text = Console(stderr=True), Text
        # no thread of its own: a mutation holds signals back, and nothing may draw beside it
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def show(self, text: str) -> None:
        self._live.update(self._text(text), refresh=True)

    def close(self) -> None:
        self._live.stop()
        if not self._console.is_terminal:
            self._console.line()


class _NotebookCell:
    """An output under the cell that is running."""

    def __init__(self) -> None:
        self._display: Any = sys.modules["IPython"].display
        self._handle: Any = None

    def show(self, text: str) -> None:
        shown = {"text/plain": text, "text/html": f"<code>{escape(text)}</code>"}
        if self._handle is None:
            self._handle = self._display.display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        """Leave the last line where it is."""
