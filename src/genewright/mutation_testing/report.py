"""MutationReport: what became of every mutant, and what that says of the data."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError, SettingError
from genewright.evolution.frame import as_frame
from genewright.mutate import replay
from genewright.mutation_testing.criteria.criterion import Criterion, as_criterion, check_level, criterion_from_json
from genewright.mutation_testing.grouping import By, groups_of
from genewright.mutation_testing.intervals import Score
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.record import Record
from genewright.mutation_testing.report_file import from_lines, to_lines
from genewright.mutation_testing.report_text import drawn, table_of, words_of
from genewright.mutation_testing.row import Row
from genewright.mutation_testing.smallest import Cover, smallest_cover
from genewright.mutation_testing.trial import Bits, Original, Trial
from genewright.mutation_testing.verdicts import kills_of, rows_of, score_of_rows
from genewright.recipe import Recipe
from genewright.showing import Shown
from genewright.step import Step
from genewright.storage import Overwrite, read_file, write_atomically


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MutationReport(Shown):
    """What became of every mutant of a campaign.

    Attributes:
        rows: One a mutant, by number.
        criterion: What killed them.
        alpha: The test's level.
        originals: What each original does on the data.
        about: What the campaign was: mutants, seed, fingerprints of models and data, batch size.
        notes: What else there is to say, such as operators without a site.
        likely_equivalent: Numbers of mutants that survived on the training data as well, which papers call so; most of
            them do change outputs, by too little to tell. Empty without `train`.
        trained: Whether training data was given.
    """

    made_by = "gw.mutation_score(model, ...)"
    rows: tuple[Row, ...]
    criterion: Criterion
    alpha: float
    originals: tuple[Original, ...]
    about: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    likely_equivalent: frozenset[int] = frozenset()
    trained: bool = False
    _records: tuple[Record, ...] = dataclasses.field(repr=False, default=())

    @classmethod
    def judged(
        cls,
        records: Sequence[Record],
        originals: Sequence[Original],
        criterion: Criterion,
        alpha: float,
        about: Mapping[str, Any],
        notes: tuple[str, ...],
    ) -> Self:
        """Let a criterion judge records, all together, for what it says of one depends on their number."""
        return cls(
            rows=rows_of(records, originals, criterion, alpha),
            criterion=criterion, alpha=alpha, originals=tuple(originals), about=about, notes=notes,
            _records=tuple(records),
        )  # fmt: skip

    def with_criterion(self, criterion: str | Criterion, alpha: float | None = None) -> Self:
        """Return the report as another criterion has it; nothing is run again.

        Raises:
            SettingError: It does not fit models or data, or counts moves beyond another tolerance than was run with.
        """
        chosen = as_criterion(criterion, len(self.originals))
        chosen.check(self.originals)
        tolerance = getattr(chosen, "tolerance", None)
        if tolerance is not None and tolerance != self.about.get("tolerance"):
            raise SettingError(
                f"criterion={chosen.name!r} with tolerance={tolerance:g} needs a run of its own: this one noted moves "
                f"beyond {self.about.get('tolerance')}. Give it to gw.campaign(..., criterion=)."
            )
        level = self.alpha if alpha is None else alpha
        check_level("alpha", level)
        made = type(self).judged(self._records, self.originals, chosen, level, self.about, self.notes)
        return dataclasses.replace(made, likely_equivalent=self.likely_equivalent, trained=self.trained)

    def with_training(self, on_train: MutationReport) -> Self:
        """Return the report that knows which survivors survive on training data as well."""
        equivalent = frozenset(row.number for row in on_train.rows if row.outcome is Outcome.SURVIVED)
        equivalent |= frozenset(row.number for row in on_train.rows if row.outcome is Outcome.UNCHANGED)
        return dataclasses.replace(self, likely_equivalent=equivalent, trained=True)

    @classmethod
    def merged(cls, reports: Sequence[MutationReport]) -> MutationReport:
        """Put the reports of shards together; the p-values are corrected anew.

        Raises:
            SettingError: They are of different campaigns, or share rows.
        """
        if not reports:
            raise SettingError("MutationReport.merged: expected reports; received none.")
        first = reports[0]
        kinds = {type(one).__name__ for one in reports}
        if kinds != {MutationReport.__name__}:
            raise SettingError(f"MutationReport.merged: expected reports; received {', '.join(sorted(kinds))}.")
        if any(dict(other.about) != dict(first.about) for other in reports):
            raise SettingError("MutationReport.merged: the reports are of different campaigns.")
        records = sorted((r for one in reports for r in one._records), key=lambda r: r.number)
        if len({record.number for record in records}) != len(records):
            raise SettingError("MutationReport.merged: two reports hold the same mutant. Give each shard once.")
        made = cls.judged(records, first.originals, first.criterion, first.alpha, first.about, first.notes)
        equivalent = frozenset[int]().union(*(one.likely_equivalent for one in reports))
        return dataclasses.replace(made, likely_equivalent=equivalent, trained=all(one.trained for one in reports))

    def score(self, rows: Sequence[Row] | None = None) -> Score:
        """Return killed of killed and survived, with Wilson's interval.

        Args:
            rows: Some of the rows; all by default.
        """
        return score_of_rows(self.rows if rows is None else rows)

    def outcomes(self) -> dict[Outcome, int]:
        """Return how many mutants have each of the six outcomes."""
        counted = Counter(row.outcome for row in self.rows)
        return {outcome: counted[outcome] for outcome in Outcome}

    def mean_effect(self) -> float | None:
        """Return the mean effect over those that ran: of criterion "class", DeepMutation's mutation score."""
        effects = [row.effect for row in self.rows if row.effect is not None]
        return float(np.mean(effects)) if effects else None

    def survivors(self) -> tuple[Row, ...]:
        """Return the mutants that survived, those first whose outputs moved most."""
        rows = [row for row in self.rows if row.outcome is Outcome.SURVIVED]
        return tuple(sorted(rows, key=lambda row: (-row.changed, -(row.largest_change or 0), row.number)))

    def by(self, what: By) -> dict[str, Score]:
        """Return the score of each group of mutants.

        Args:
            what: "operator" groups by name, "label" by name and settings, "site" and "unit" by where a mutant acts,
                "bit" by the position of the bit that `BitFlip` or `StuckAt` flipped (of each dtype, where there are
                several), "field" by sign, exponent and mantissa. Mutants that flipped several different bits, or none,
                are groups of their own.
        """
        return {name: self.score(rows) for name, rows in groups_of(self.rows, what).items()}

    @functools.cached_property
    def kills(self) -> NDArray[np.bool_]:
        """Which samples kill which mutants, mutants x samples: right in the original and wrong in the mutant.

        Of the first model. Without targets: the prediction differs. Rows of mutants that did not run are empty.
        """
        return self._matrix(lambda trial: kills_of(trial, self.originals[0]))

    @functools.cached_property
    def changes(self) -> NDArray[np.bool_]:
        """Which samples' predictions differ from the original's in which mutants, mutants x samples."""
        return self._matrix(lambda trial: trial.changed)

    def _matrix(self, bits: Callable[[Trial], Bits]) -> Bits:
        matrix = np.zeros((len(self._records), self.originals[0].samples), np.bool_)
        for at, record in enumerate(self._records):
            if record.trials[0].ran:
                matrix[at] = bits(record.trials[0])
        return matrix

    def smallest(self) -> Cover:
        """Return a small set of samples that kills every mutant that any sample kills, and how small one can be."""
        return smallest_cover(self.kills)

    def samples_by_power(self) -> list[tuple[int, int]]:
        """Return (sample, mutants that it kills), the most telling samples first."""
        power = self.kills.sum(axis=0)
        return [(int(at), int(power[at])) for at in np.argsort(-power, kind="stable")]

    def label_change_rate(self) -> NDArray[np.float64]:
        """Return, per sample, in which share of the mutants that ran its prediction differs from the original's.

        `confidence()` stands beside it, because it often tells as much (Wang et al., "Adversarial Sample Detection for
        Deep Neural Network through Model Mutation Testing", ICSE 2019; Weiss and Tonella, "Simple Techniques Work
        Surprisingly Well for Neural Network Test Prioritization and Active Learning", ISSTA 2022).
        """
        ran = [at for at, record in enumerate(self._records) if record.trials[0].ran]
        return self.changes[ran].mean(axis=0) if ran else np.zeros(self.originals[0].samples)

    def confidence(self) -> NDArray[np.float32]:
        """Return, per sample, the largest class probability of the original; NaN where there are no classes."""
        return self.originals[0].confidence

    def smallest_drop(self) -> float | None:
        """Return the least loss of accuracy that can kill one mutant on this data; None where it has no meaning."""
        return self.criterion.smallest_drop(self.originals[0], self.alpha)

    def recipe(self, number: int) -> Recipe:
        """Return the recipe of a mutant, on the first model.

        Raises:
            SettingError: There is no row of this number, or no mutant was made.
        """
        record = next((one for one in self._records if one.number == number), None)
        if record is None or not record.steps:
            why = "there is no such row" if record is None else "it was refused: " + record.trials[0].note
            raise SettingError(f"The report has no recipe of mutant {number}: {why}.")
        return Recipe(tuple(Step.from_json(step) for step in record.steps))

    def mutant(self, number: int, model: Any, *, example: Any = None) -> Any:
        """Make a mutant again, from the original; its fingerprint is held to the report's.

        Raises:
            FingerprintError: `model` is not the campaign's, or the result is another.
        """
        return replay(self.recipe(number), model, example=example)

    def to_json(self) -> str:
        """Return the report as JSON lines: what it is, then one line a mutant."""
        header = {
            "criterion": self.criterion.to_json(),
            "alpha": self.alpha,
            "originals": [original.to_json() for original in self.originals],
            "about": dict(self.about),
            "notes": list(self.notes),
            "likely_equivalent": sorted(self.likely_equivalent),
            "trained": self.trained,
        }
        return to_lines(header, self._records)

    @classmethod
    def from_json(cls, text: str | bytes) -> MutationReport:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged, or no report.
        """
        header, records = from_lines(text)
        try:
            criterion = criterion_from_json(header["criterion"])
            originals = [Original.from_json(one) for one in header["originals"]]
            alpha, about, notes = header["alpha"], header["about"], tuple(header["notes"])
            equivalent, trained = frozenset(header["likely_equivalent"]), bool(header["trained"])
        except (KeyError, ValueError, TypeError) as error:
            raise RecipeError(f"The report is damaged: {error!r}.") from None
        made = cls.judged(records, originals, criterion, alpha, about, notes)
        return dataclasses.replace(made, likely_equivalent=equivalent, trained=trained)

    def save(self, path: str | Path, *, overwrite: Overwrite = False) -> None:
        """Write the report to a file, atomically: an HTML page where its name ends in ``.html``, else JSON lines.

        Raises:
            FileError: The file exists and `overwrite` is false, or it cannot be written.
        """
        if Path(path).suffix in (".html", ".htm"):
            from genewright.report.mutation_testing.page import page_of

            text = page_of(self)
        else:
            text = self.to_json()
        write_atomically(Path(path), [text.encode()], overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> MutationReport:
        """Read a report from a file of JSON lines.

        Raises:
            FileError: The file cannot be read.
            RecipeError: It holds no report.
        """
        return cls.from_json(read_file(Path(path)))

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame, without their recipes.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        fields = [field.name for field in dataclasses.fields(Row) if field.name != "steps"]
        return as_frame([{name: getattr(row, name) for name in fields} for row in self.rows])

    def details(self) -> str:
        """Return the report in words: a line an operator, the score, what it cannot say."""
        return "\n".join([*table_of(self.rows), "", *self._words()])

    def _repr_html_(self) -> str:
        return drawn(self.rows, self._words())

    def _words(self) -> list[str]:
        too_close = len(self.likely_equivalent) if self.trained else None
        return words_of(self.rows, self.criterion, self.alpha, self.originals, too_close, self.notes)
