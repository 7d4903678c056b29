"""What the command prints: for people, or as exactly one JSON document for machines."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Container, Generator, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from genewright.plugins import PluginWarning

Item = TypeVar("Item")

_DOCUMENTS: ContextVar[TextIO | None] = ContextVar("documents", default=None)
_UNCUT = 10_000  # columns that a table of names and numbers may have
_WIDE = 200  # columns where nobody looks: a table in a pipe is not folded


class Output:
    """Where a subcommand says what it found.

    Args:
        as_json: Print nothing for people, and one JSON document on standard output.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._console = Console(width=None if sys.stdout.isatty() else _WIDE)
        self._progress = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Print lines for people, unfolded."""
        if not self.as_json:
            self._console.print(Text(text, style=style or ""), soft_wrap=True)

    def table(
        self,
        columns: Iterable[str],
        rows: Iterable[Iterable[str]],
        *,
        numbers: Container[str] = (),
        prose: Container[str] = (),
        head: bool = True,
    ) -> None:
        """Print a table for people.

        Args:
            columns: Their titles.
            rows: Their cells.
            numbers: Columns that stand to the right.
            prose: Columns that may be folded.
            head: Whether the titles are shown.
        """
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
        titles = list(columns)
        for column in titles:
            table.add_column(
                column,
                justify="right" if column in numbers else "left",
                overflow="fold",
                no_wrap=column not in prose,
            )
        for row in rows:
            table.add_row(*map(Text, row))
        # Cells without prose are never cut: a number without its end is another number.
        folds = any(column in prose for column in titles)
        (self._console if folds else Console(width=_UNCUT)).print(table)

    def document(self, form: Any) -> None:
        """Print the JSON document, where machines read."""
        if self.as_json:
            write_document(form)

    @contextmanager
    def working(self, what: str) -> Generator[None]:
        """Show on a terminal that work is going on."""
        if self._progress.quiet:
            yield
            return
        with self._progress.status(what):
            yield

    def track(self, items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
        """Yield items with a progress bar on a terminal's standard error."""
        if self._progress.quiet:
            yield from items
            return
        with Progress(console=self._progress, transient=True) as progress:
            yield from progress.track(items, total=total, description=what)


@contextmanager
def plugins_warned_of() -> Generator[None]:
    """Say in one line on standard error which package does not load, instead of as Python does."""
    usual = warnings.showwarning

    def show(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, PluginWarning):
            Console(stderr=True).print(Text.assemble(("warning: ", "bold yellow"), str(message)), soft_wrap=True)
        else:
            usual(message, category, *rest, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = usual


@contextmanager
def one_document(*, as_json: bool) -> Generator[None]:
    """Keep standard output for the one JSON document: what else is printed, by the user's model too, goes to stderr."""
    if not as_json:
        yield
        return
    token = _DOCUMENTS.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _DOCUMENTS.reset(token)


def write_document(form: Any) -> None:
    """Write a JSON document to the standard output that this process was started with."""
    stream = _DOCUMENTS.get() or sys.stdout
    stream.write(json.dumps(form, indent=2, allow_nan=False) + "\n")
    stream.flush()


@contextmanager
def log_shown(*, shown: bool) -> Generator[None]:
    """Print the library's log on standard error for the length of a ``with`` block, or nowhere.

    Args:
        shown: False where standard error is no terminal, so that it holds errors alone.
    """
    handler = logging.StreamHandler() if shown else logging.NullHandler()
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    logger = logging.getLogger("genewright")
    level = logger.level
    logger.addHandler(handler)
    if shown:
        logger.setLevel(logging.INFO)  # by how much outputs change, what follows in a config
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
