"""One function for all structural edits, by the edit's type."""

from __future__ import annotations

import functools

from torch import nn

from genewright.apply import Undo
from genewright.errors import UnsupportedError


@functools.singledispatch
def restructure(edit: object, model: nn.Module) -> Undo:
    """Apply one structural edit to `model`, all or nothing; return what takes it back.

    Raises:
        GenewrightError: It cannot be done here; the reason is named, and nothing has been changed.
    """
    raise UnsupportedError(f"{type(edit).__name__} is no edit that a torch module takes.")
