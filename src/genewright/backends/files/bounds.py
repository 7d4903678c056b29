"""How much a file may ask for: what it says is believed in proportion to its size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

from genewright.errors import FileError

_FACTOR = 4  # bytes of memory for a byte of the file
_SMALL = 1 << 20  # bytes that any file may ask for: files of small models are mostly names
_PARTS = 200_000  # entries of headers, configs and pickles that any file may have
_BYTES_A_PART = 32  # beyond that one for so many bytes
_MOST_LEVELS = 100
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')


def check_size(wanted: int, held: int, what: str) -> None:
    """Refuse tensors or members that are much larger than the file that holds them.

    Args:
        wanted: The bytes that are asked for.
        held: The file's size.
        what: What to call the file in the message.

    Raises:
        FileError: They are.
    """
    if not 0 <= wanted <= _FACTOR * held + _SMALL:
        raise FileError(f"{what}: declares {wanted:,} bytes, and the file holds a fraction of that ({held:,}).")


def check_parts(number: int, held: int, what: str) -> None:
    """Refuse a description of more parts than a file of this size needs: each takes some hundred bytes of memory.

    Raises:
        FileError: It has more.
    """
    most = _PARTS + held // _BYTES_A_PART
    if number > most:
        raise FileError(f"{what}: describes more than {most:,} parts, too many for a file of {held:,} bytes.")


def read_json(text: str | bytes, what: str, *, held: int | None = None) -> Any:
    """Read JSON that somebody else wrote.

    Args:
        text: The JSON.
        what: What to call it in messages.
        held: The size of the file that it was in; its own length if None.

    Raises:
        FileError: It is damaged, says a thing twice, has numbers that JSON has not, lies too deep or is too long.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    size = len(data) if held is None else held
    if sum(map(data.count, (b",", b"[", b"{"))) > _PARTS:  # text may hold these too: look again without it
        check_parts(sum(map(_TEXT.sub(b"", data).count, (b",", b"[", b"{"))), size, what)
    try:
        made = json.loads(str(data, "utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "lists lie too deep in each other" if isinstance(error, RecursionError) else str(error)
        raise FileError(f"{what}: is not the JSON that belongs there ({reason}).") from None
    check_depth(made, what)
    return made


def check_depth(held: Any, what: str) -> None:
    """Refuse lists and objects that lie deep in each other: whatever walks through them would run out of stack.

    Raises:
        FileError: They do.
    """
    level: list[Any] = [held]
    for _ in range(_MOST_LEVELS):
        seen: set[int] = set()
        level = [one for one in _inside(level) if isinstance(one, dict | list | tuple) and not _known(one, seen)]
        if not level:
            return
    raise FileError(f"{what}: more than {_MOST_LEVELS} lists lie in each other.")


def _inside(level: Iterable[Any]) -> Iterable[Any]:
    for one in level:
        yield from cast("Iterable[Any]", one.values() if isinstance(one, dict) else one) if _is_many(one) else ()


def _is_many(one: Any) -> bool:
    return isinstance(one, dict | list | tuple)


def _known(one: Any, seen: set[int]) -> bool:
    """Whether a list has been met already on this level; what is shared is walked through once."""
    known = id(one) in seen
    seen.add(id(one))
    return known


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f"the entry {twice[:60]!r} is there twice")
    return made


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")
