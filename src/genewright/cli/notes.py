"""What the library notes while it works (its log), as the command shows it."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def notes(*, shown: bool) -> Generator[None]:
    """Print notes on standard error for the length of a ``with`` block, or nowhere.

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
