"""A report of mutants as JSON lines: what it is, then one line a mutant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from genewright.errors import RecipeError
from genewright.mutation_testing.record import Record

FORMAT = 1
_MARK = "genewright_mutation_report"


def to_lines(header: Mapping[str, Any], records: Iterable[Record]) -> str:
    """Return the lines; the first says what the file is."""
    first = json.dumps({_MARK: FORMAT, **header}, separators=(",", ":"))
    return "\n".join([first, *(record.to_json() for record in records)]) + "\n"


def from_lines(text: str | bytes) -> tuple[dict[str, Any], list[Record]]:
    """Return what `to_lines` was given.

    Raises:
        RecipeError: It is damaged, or no report.
    """
    lines = text.splitlines()
    try:
        header: Any = json.loads(lines[0]) if lines else None
    except ValueError:
        header = None
    if not isinstance(header, dict) or _MARK not in header:
        raise RecipeError(f"This is not a report of mutants: its first line has no {_MARK!r}.")
    found = cast("dict[str, Any]", header)
    if found[_MARK] != FORMAT:
        raise RecipeError(f"This report of mutants is of format {found[_MARK]!r}; this genewright reads {FORMAT}.")
    return found, [Record.from_json(line) for line in lines[1:]]
