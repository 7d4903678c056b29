"""Row: one mutant in a report, with what it did to the outputs and what the criterion says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genewright.mutation_testing.flipped_bits import Flip
from genewright.mutation_testing.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Row:
    """One mutant of a report.

    Attributes:
        number: Its number in the set of mutants, from 0.
        operator: Its operator's registered name.
        label: The operator with the settings that are not its defaults, as a report names it.
        site: Where it acts, in words: a layer, a tensor, ``layer[unit]``, or ``(all)``.
        layer: The layer; None where the site is the whole network.
        outcome: What became of it.
        steps: Its recipe's steps, as JSON holds them.
        result: Fingerprint of the mutant (of the first model's, where there are several); None where none was made.
        samples: How many samples it was run on.
        broken: Samples that the original has right and the mutant wrong. Without targets: whose prediction differs.
        mended: Samples that the original has wrong and the mutant right.
        changed: Samples whose prediction differs from the original's.
        before: Score of the original on the data: accuracy, or minus the mean loss where targets are values.
        after: The same of the mutant.
        largest_change: max |a - b| / max |a| over all outputs, a the original's and b the mutant's.
        p: p-value of the criterion's test; None where it makes none.
        adjusted: The same, corrected for the number of mutants.
        effect: The criterion's effect size; None where it has none.
        interval: Bounds of the effect.
        trivial: Nine in ten samples that the original has right kill it.
        flips: The bits that it flipped, by number format and position, each once; only asked of operators on bits.
        note: Why it was refused or crashed, or what else there is to say.
    """

    number: int
    operator: str
    label: str
    site: str
    layer: str | None
    outcome: Outcome
    steps: tuple[Mapping[str, Any], ...] = ()
    result: str | None = None
    samples: int = 0
    broken: int = 0
    mended: int = 0
    changed: int = 0
    before: float | None = None
    after: float | None = None
    largest_change: float | None = None
    p: float | None = None
    adjusted: float | None = None
    effect: float | None = None
    interval: tuple[float, float] | None = None
    trivial: bool = False
    flips: tuple[Flip, ...] = ()
    note: str = ""
