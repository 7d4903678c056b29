"""What gw.check_operator tried: on which networks, which of them the operator refused and why, and what was held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_WIDTH = 90
"""Characters of a reason in the short form."""


@dataclass(frozen=True, repr=False)
class Conformance:
    """An operator has kept every invariant; this is what was tried.

    Attributes:
        operator: What was checked, as it is written.
        fitted: The networks on which every invariant was checked.
        refused: Those that the operator refused, by name, with the reason.
        invariants: How often each invariant was held, by its words.
        left_out: What was not tried, and why.
        seconds: How long it took.
    """

    operator: str
    fitted: tuple[str, ...]
    refused: Mapping[str, str]
    invariants: Mapping[str, int]
    left_out: str
    seconds: float

    def __str__(self) -> str:
        """Return it in about ten lines."""
        return "\n".join(self._lines(shown=6))

    __repr__ = __str__

    def details(self) -> str:
        """Return it with every network, every reason and every invariant."""
        return "\n".join(self._lines(shown=None))

    def _lines(self, shown: int | None) -> list[str]:
        tried = len(self.fitted) + len(self.refused)
        lines = [
            f"{self.operator} kept {len(self.invariants)} invariants on {len(self.fitted)} of {tried} networks "
            f"({sum(self.invariants.values())} checks, {self.seconds:.1f} s)",
            f"  fits     {_some(list(self.fitted), shown)}",
        ]
        for name, reason in list(self.refused.items())[:shown]:
            short = reason if shown is None or len(reason) <= _WIDTH else f"{reason[:_WIDTH]} ..."
            lines.append(f"  refused  {name}: {short}")
        if shown is not None and len(self.refused) > shown:
            lines.append(f"  refused  {len(self.refused) - shown} more")
        if shown is None:
            lines += [f"  kept     {invariant} ({count} times)" for invariant, count in self.invariants.items()]
        return lines + ([f"  not tried  {self.left_out}"] if self.left_out else [])


def _some(names: list[str], shown: int | None) -> str:
    more = 0 if shown is None else len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
