"""A report of mutants in words, and as bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from genewright.mutation_testing.criteria.criterion import Criterion
from genewright.mutation_testing.grouping import groups_of
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.row import Row
from genewright.mutation_testing.trial import Original
from genewright.mutation_testing.verdicts import score_of_rows
from genewright.showing import LINES, Bar, bars, fragment, more_line

_COLOURS = {
    Outcome.KILLED: "#3f7fb5",
    Outcome.SURVIVED: "#e8743b",
    Outcome.UNCHANGED: "#d5dae0",
    Outcome.NONFINITE: "#b0413e",
    Outcome.REFUSED: "#9aa5b1",
    Outcome.CRASHED: "#5b5b5b",
}


def table_of(rows: Sequence[Row]) -> list[str]:
    """Return a line an operator, with a head."""
    groups = groups_of(rows, "label")
    width = max([len(label) for label in groups] + [8])
    lines = [f"{'operator':<{width}}  made  unchanged  nonfinite  refused  crashed  trivial  killed  survived"]
    for label, its in groups.items():
        of = Counter(row.outcome for row in its)
        trivial = sum(row.trivial for row in its)
        made = len(its) - of[Outcome.REFUSED]
        lines.append(
            f"{label:<{width}}  {made:4}  {of[Outcome.UNCHANGED]:9}  {of[Outcome.NONFINITE]:9}  "
            f"{of[Outcome.REFUSED]:7}  {of[Outcome.CRASHED]:7}  {trivial:7}  {of[Outcome.KILLED]:6}  "
            f"{of[Outcome.SURVIVED]:8}"
        )
    return lines


def words_of(
    rows: Sequence[Row],
    criterion: Criterion,
    alpha: float,
    originals: Sequence[Original],
    too_close: int | None,
    notes: Sequence[str],
) -> list[str]:
    """Return the score in words, and what it cannot say.

    Args:
        rows: The mutants.
        criterion: What killed them.
        alpha: The test's level.
        originals: What each original does on the data.
        too_close: How many survive on training data, too; None where none was given.
        notes: What else there is to say.
    """
    adjusted = ", Benjamini-Hochberg" if criterion.adjusts and any(r.p is not None for r in rows) else ""
    number = len(originals) if criterion.unit == "trainings" else originals[0].samples
    lines = [f"score     {score_of_rows(rows)} killed by {criterion.name!r} at {alpha:g}{adjusted}"]
    lines.append(f"unit      {number:,} {criterion.unit}")
    drop = criterion.smallest_drop(originals[0], alpha)
    if drop is not None:
        lines.append(f"at least  a loss of {100 * drop:.2g} points is needed to kill one mutant on this data")
    if too_close is not None:
        lines.append(f"on train  {too_close} survivors survive there too: too close to tell, equivalent or not")
    lines += [f"note      {note}" for note in notes]
    return lines


def drawn(rows: Sequence[Row], words: Sequence[str]) -> str:
    """Return the report as HTML: what became of each operator's mutants, its score, and the words after the first."""
    groups = groups_of(rows, "label")
    shown = list(groups.items())[:LINES]
    outcomes = [
        Bar(
            label,
            tuple((sum(row.outcome is one for row in its), colour) for one, colour in _COLOURS.items()),
            str(score_of_rows(its)),
        )
        for label, its in shown
    ]
    scores = [
        Bar(label, (((score := score_of_rows(its)).share or 0.0, _COLOURS[Outcome.KILLED]),), str(score),
            (score.low, score.high) if score.of else None)
        for label, its in shown
    ]  # fmt: skip
    counted = Counter(row.outcome for row in rows)
    legend = "".join(
        f'<span style="color: {colour}">&#9632;</span> {outcome} {count:,} &nbsp; '
        for outcome, count in ((one, counted[one]) for one in Outcome)
        for colour in [_COLOURS[outcome]]
    )
    more = f"... and {len(groups) - LINES:,} more operators: .details()" if len(groups) > LINES else ""
    return fragment(
        f"{len(rows):,} mutants, {score_of_rows(rows)} killed",
        f"<div>{legend}</div>",
        bars("what became of the mutants", outcomes),
        more_line("killed of killed and survived, with Wilson's interval"),
        bars("scores", scores, full=1.0),
        more_line(more),
        *(more_line(line) for line in words[1:][:LINES]),
    )
