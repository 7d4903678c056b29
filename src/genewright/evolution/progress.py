"""The line of progress: generation, best, median, evaluations a second, time left."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self

from genewright.evolution.callbacks import Callback, Report
from genewright.showing import Line, clock, open_line


class ProgressLine(Callback):
    """Shows one line that changes, on standard error."""

    def __init__(self) -> None:
        self._line: Line | None = None

    @classmethod
    def wanted(cls, progress: bool | None) -> list[Self]:
        """Return a line where one is wanted: by default where standard error is a terminal."""
        return [cls()] if (sys.stderr.isatty() if progress is None else progress) else []

    def started(self, about: Mapping[str, Any]) -> None:
        self._line = open_line()

    def told(self, report: Report) -> None:
        if self._line is not None:
            self._line.show(in_words(report))

    def ended(self, reason: str) -> None:
        if self._line is not None:
            self._line.close()


def in_words(report: Report) -> str:
    """Return the line for a report."""
    best = None if report.best is None else report.best.objective
    parts = [f"generation {report.generation}", f"best {_number(best)}", f"median {_number(report.median)}"]
    parts += [f"{report.evaluations:,} evaluations", f"{report.rate:,.0f}/s"]
    if report.failed:
        parts.append(f"{report.failed} failed")
    if report.seconds_left is not None:
        parts.append(f"{clock(report.seconds_left)} left")
    return "  ".join(parts)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
