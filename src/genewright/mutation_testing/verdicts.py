"""rows_of: what a criterion says of every mutant, which only those have to ask that ran and differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.criteria.criterion import Criterion
from genewright.mutation_testing.intervals import Score, benjamini_hochberg, score_of
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.record import Record
from genewright.mutation_testing.row import Row
from genewright.mutation_testing.trial import Original, Trial

TRIVIAL = 0.9  # of the samples that the original has right


def rows_of(
    records: Sequence[Record], originals: Sequence[Original], criterion: Criterion, alpha: float
) -> tuple[Row, ...]:
    """Let a criterion judge records, all together, for what it says of one depends on their number."""
    verdicts = {
        at: criterion.judge(record.trials, originals, alpha)
        for at, record in enumerate(records)
        if _status(record) is None
    }
    tested = [at for at, verdict in verdicts.items() if verdict.p is not None]
    raw = [cast(float, verdicts[at].p) for at in tested]
    adjusted = benjamini_hochberg(raw).tolist() if criterion.adjusts else raw
    levels = dict(zip(tested, adjusted, strict=True))
    rows: list[Row] = []
    for at, record in enumerate(records):
        outcome, verdict = _status(record), verdicts.get(at)
        said: dict[str, Any] = {}
        if verdict is not None:
            strict = not criterion.adjusts  # the papers write p < 0.05
            level = levels.get(at)
            met = level is None or (level < alpha if strict else level <= alpha)
            outcome = Outcome.KILLED if verdict.killed and met else Outcome.SURVIVED
            said = {"p": verdict.p, "adjusted": level, "effect": verdict.effect, "interval": verdict.interval}
        assert outcome is not None
        rows.append(_row(record, originals[0], outcome, said))
    return tuple(rows)


def score_of_rows(rows: Sequence[Row]) -> Score:
    """Return killed of killed and survived, with Wilson's interval."""
    killed = sum(row.outcome is Outcome.KILLED for row in rows)
    return score_of(killed, killed + sum(row.outcome is Outcome.SURVIVED for row in rows))


def kills_of(trial: Trial, original: Original) -> NDArray[np.bool_]:
    """Return which samples kill a mutant: right in the original and wrong in the mutant."""
    return trial.wrong & original.right


def _status(record: Record) -> Outcome | None:
    """Return the outcome that no criterion decides: the worst of all models; unchanged only where all are."""
    states = [trial.status for trial in record.trials]
    for worst in (Outcome.CRASHED, Outcome.REFUSED, Outcome.NONFINITE):
        if worst in states:
            return worst
    return Outcome.UNCHANGED if all(state is Outcome.UNCHANGED for state in states) else None


def _row(record: Record, original: Original, outcome: Outcome, verdict: Mapping[str, Any]) -> Row:
    trial = record.trials[0]
    facts: dict[str, Any] = {}  # of a mutant that ran
    if trial.ran:
        kills = kills_of(trial, original)
        right, broken = int(np.count_nonzero(original.right)), int(np.count_nonzero(kills))
        has_targets = original.targets != "none"
        facts = {
            "samples": original.samples,
            "broken": broken,
            "mended": int(np.count_nonzero(~(original.right | trial.wrong))) if has_targets else 0,
            "changed": int(np.count_nonzero(trial.changed)),
            "after": trial.score,
            "largest_change": trial.largest_change,
            "trivial": right > 0 and broken >= TRIVIAL * right,
        }
    return Row(
        number=record.number, operator=record.operator, label=record.label, site=record.site, layer=record.layer,
        outcome=outcome, steps=record.steps, flips=record.flips, result=trial.result, before=original.score,
        note=next((one.note for one in record.trials if one.note), ""), **facts, **verdict,
    )  # fmt: skip
