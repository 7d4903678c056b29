"""The line of progress of what runs many mutants: how many are done, of how many, and the time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from genewright.errors import SettingError
from genewright.showing import Meter

Counted = Callable[[int, int], None]
Progress = Counted | bool | None


@contextmanager
def counting(who: str, progress: Progress) -> Generator[Counted]:
    """Let progress be seen inside the block: call what comes with how many are done, and of how many.

    Args:
        who: The function that was called.
        progress: Whether a line on standard error is shown; None where that is a terminal. Or a function that is called
            instead.

    Raises:
        SettingError: `progress` is nothing of that.

    Example:
        >>> seen = []
        >>> with counting("campaign", lambda done, of: seen.append((done, of))) as told:
        ...     told(1, 2)
        >>> seen
        [(1, 2)]
    """
    if callable(progress):
        yield progress
        return
    if progress is not None and not isinstance(progress, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(
            f"{who}: progress is True for a line on standard error, False for none, or a function of (done, of); "
            f"received {progress!r}."
        )
    with Meter(f"gw.{who}", sys.stderr.isatty() if progress is None else progress) as meter:
        yield meter.at
