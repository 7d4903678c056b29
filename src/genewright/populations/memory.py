"""Memory budgets, as people write them."""

from __future__ import annotations

import re

from genewright.errors import SettingError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def bytes_of(who: str, memory: str | int | None) -> int | None:
    """Return a budget in bytes; None where there is no limit.

    Args:
        who: Who asks, for the message.
        memory: A number of bytes, a text such as "2 GB" or "512 MiB", or None.

    Raises:
        SettingError: It is neither, or nothing.

    >>> bytes_of("Batched", "1.5 MB")
    1500000
    """
    if memory is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+\.?[0-9]*)\s*([A-Za-z]*)\s*", str(memory))
    if isinstance(memory, bool) or found is None or found[2].upper() not in _UNITS:
        raise SettingError(f'{who}: memory is a number of bytes, a text such as "2 GB", or None; received {memory!r}.')
    size = int(float(found[1]) * _UNITS[found[2].upper()])
    if size < 1:
        raise SettingError(f"{who}: memory must be at least one byte; received {memory!r}.")
    return size


def said(size: int) -> str:
    """Return a number of bytes in words, such as "1.5 MB".

    >>> said(1_500_000)
    '1.5 MB'
    """
    for unit in ("GB", "MB", "KB"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.3g} {unit}"
    return f"{size} bytes"
