"""Shares of faults in words, and as bars."""

from __future__ import annotations

from collections.abc import Mapping

from genewright.mutation_testing.fault_share import FaultShare
from genewright.showing import LINES, Bar, bars, more_line

_BAR = 40  # letters


def bars_of_letters(what: str, shares: Mapping[str, FaultShare]) -> list[str]:
    """Return a line for each group, with a head.

    >>> for line in bars_of_letters("bit", {"30": FaultShare.counted(3, 4, 4, 0.05)}):
    ...     print(line)
    bit  share of faults that fail
     30  ##############################..........  3 of 4 (75.00%, 75.00% to 75.00%)
    """
    width = max(len(label) for label in (what, *shares))
    lines = [f"{what:<{width}}  share of faults that fail"]
    for label, one in shares.items():
        length = round(_BAR * (one.share or 0.0))
        lines.append(f"{label:>{width}}  {'#' * length}{'.' * (_BAR - length)}  {one}")
    return lines


def drawn(group: str, shares: Mapping[str, FaultShare]) -> list[str]:
    """Return the groups as parts of HTML."""
    rows = [
        Bar(label, ((one.share or 0.0, "#b0413e"),), str(one), (one.low, one.high) if one.of else None)
        for label, one in list(shares.items())[: 2 * LINES + 4]
    ]
    return [more_line(f"by {group}"), bars(f"share of faults that fail, by {group}", rows, full=1.0)]
