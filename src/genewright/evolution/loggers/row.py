"""What a logger says of a generation: names and numbers."""

from __future__ import annotations

from genewright.evolution.callbacks import Report

COLUMNS = ("generation", "evaluations", "best", "median", "failed", "seconds")


def row_of(report: Report) -> dict[str, float | None]:
    """Return numbers by name: those of `COLUMNS`, and the odds of each mutation where there are several.

    Args:
        report: A generation. "best" is the champion's first objective; None where nobody has a fitness.
    """
    best = None if report.best is None else report.best.objective
    values = (report.generation, report.evaluations, best, report.median, report.failed, report.seconds)
    odds = {f"odds/{name}": chance for name, chance in report.odds.items()} if len(report.odds) > 1 else {}
    return {**dict(zip(COLUMNS, values, strict=True)), **odds}
