"""Where the demo prints what it does: nowhere, or through the command."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Console(Protocol):
    """What the demo prints with; the command's `Output` has these methods."""

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Print lines."""
        ...

    def table(
        self,
        columns: Iterable[str],
        rows: Iterable[Iterable[str]],
        *,
        numbers: Container[str] = (),
        prose: Container[str] = (),
    ) -> None:
        """Print a table."""
        ...

    def working(self, what: str) -> AbstractContextManager[None]:
        """Show that work is going on."""
        ...

    def track(self, items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
        """Yield items with a progress bar."""
        ...


class Silent:
    """Prints nothing."""

    def say(self, text: str = "", *, style: str | None = None) -> None:
        """Print nothing."""

    def table(
        self,
        columns: Iterable[str],
        rows: Iterable[Iterable[str]],
        *,
        numbers: Container[str] = (),
        prose: Container[str] = (),
    ) -> None:
        """Print nothing."""

    def working(self, what: str) -> AbstractContextManager[None]:
        """Show nothing."""
        return nullcontext()

    def track(self, items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
        """Yield items."""
        yield from items
