"""Packages that extras bring: imported when they are first needed, and named when they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from genewright.errors import MissingExtraError


def required(module: str, *, extra: str, what: str) -> Any:
    """Import a module that an extra of genewright brings.

    Args:
        module: The module, such as "sqlalchemy".
        extra: The extra's name.
        what: What needs it, as the message begins.

    Raises:
        MissingExtraError: It is not installed; the message has the command.

    Example:
        >>> required("json", extra="none", what="This example").dumps([1])
        '[1]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != package:
            raise  # it is installed, and something that it needs is not
        raise MissingExtraError(
            f"{what} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'genewright[{extra}]'"
        ) from error
