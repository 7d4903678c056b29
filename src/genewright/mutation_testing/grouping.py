"""groups_of: the mutants of a report in groups, by what they are, where they act, or which bit they flip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from genewright.errors import SettingError
from genewright.mutation_testing.fault_population import field_of
from genewright.mutation_testing.row import Row

By = Literal["operator", "label", "layer", "site", "unit", "bit", "field"]
KINDS: tuple[str, ...] = By.__args__


def groups_of(rows: Sequence[Row], what: By) -> dict[str, list[Row]]:
    """Return the rows of each group; bits in their order, others as they come.

    Raises:
        SettingError: There are no such groups.
    """
    if what not in KINDS:
        raise SettingError(f"by: groups are {', '.join(KINDS)}; received {what!r}.")
    formats = {dtype for row in rows for dtype, _ in row.flips}
    groups: dict[str, list[Row]] = {}
    for row in _by_bit(rows) if what == "bit" else rows:
        groups.setdefault(_label(row, what, several=len(formats) > 1), []).append(row)
    return groups


def _by_bit(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in the order of the bit that they flip; those without one after them, those of several last."""
    return sorted(rows, key=lambda row: (len(row.flips) != 1, len(row.flips), row.flips if len(row.flips) == 1 else ()))


def _label(row: Row, what: By, *, several: bool) -> str:
    if what in ("bit", "field"):
        bits = [f"{dtype} {bit}" if several else f"{bit}" for dtype, bit in row.flips]
        labels = bits if what == "bit" else sorted({field_of(bit, dtype) for dtype, bit in row.flips})
        return "none" if not labels else labels[0] if len(labels) == 1 else "several"
    if what in ("site", "unit"):
        return row.site
    return "(all)" if what == "layer" and row.layer is None else str(getattr(row, what))
