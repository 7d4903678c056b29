"""One function for all structural edits, by the edit's type."""

from __future__ import annotations

import functools

from torch import nn

from genewright.errors import UnsupportedError
from genewright.journal import Journal


@functools.singledispatch
def restructure(edit: object, model: nn.Module, journal: Journal) -> None:
    """Apply one edit of layers, wiring or attributes to `model`; the journal remembers what changes.

    Raises:
        GenewrightError: It cannot be done here; the reason is named, and the journal takes back what has changed.
    """
    raise UnsupportedError(f"{type(edit).__name__} is no edit that a torch module takes.")
