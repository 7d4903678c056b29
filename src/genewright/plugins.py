"""Parts of other packages, found by entry point: one that does not load is warned of, and all else works."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Iterator
from typing import Any

_broken: dict[tuple[str, str], str] = {}


class PluginWarning(UserWarning):
    """A package that extends genewright does not load; what it brings is missing, all else works."""


def plugins(group: str) -> Iterator[Any]:
    """Yield what the entry points of a group name, but for those that do not load.

    Args:
        group: The group, such as ``genewright.operators``.

    Warns:
        PluginWarning: One fails; the message names the package, the error and what to do.
    """
    for entry in importlib.metadata.entry_points(group=group):
        loaded = load_plugin(entry)
        if loaded is not None:
            yield loaded


def load_plugin(entry: importlib.metadata.EntryPoint) -> Any:
    """Return what an entry point names; None, with a `PluginWarning`, where it does not load."""
    try:
        return entry.load()
    except Exception as error:  # whatever a module of somebody else raises
        package = entry.dist.name if entry.dist is not None else entry.value.partition(".")[0]
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        _broken[entry.group, entry.name] = f"{package} ({reason})"
        warnings.warn(
            f"The package {package!r} does not load, so {entry.name!r} ({entry.value}, of {entry.group}) is missing: "
            f"{reason}. Upgrade it, or uninstall it: pip uninstall {package}",
            PluginWarning,
            stacklevel=2,
        )
        return None


def broken(group: str) -> str:
    """Say which packages of a group did not load, for messages about what is missing; "" for none."""
    told = [reason for (of, _), reason in _broken.items() if of == group]
    return f"It may be of a package that does not load: {'; '.join(told)}." if told else ""
