"""Bench: one model and its data, on which mutants are made, run and taken back, one after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import numpy as np

from genewright.backends import backend_of
from genewright.batches import Batch, batches, count, first_samples
from genewright.errors import DataError, GenewrightError
from genewright.interrupts import checkpoint, hearing
from genewright.mutation_testing.flipped_bits import Flip
from genewright.mutation_testing.judging import Judge, Judged, confidence
from genewright.mutation_testing.maker import Made, Maker
from genewright.mutation_testing.mutants import Mutant, Mutants, PlannedMutants
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.tally import Outputs, Tally
from genewright.mutation_testing.trial import Original, Trial
from genewright.seeding import Seed
from genewright.settings import check_integer

_KEPT_BYTES = 256 << 20  # of what lies between the layers for one batch
_MOST_SAMPLES = 4096
_ROUNDING = 1e-3  # of the largest output: so far apart are outputs of equal functions at most


@dataclass(frozen=True)
class Tried:
    """One mutant on one model.

    Attributes:
        mutant: What it is.
        steps: Its recipe's steps, as JSON holds them.
        trial: What it did.
        flips: The bits that it flipped, where its operator acts on bits.
    """

    mutant: Mutant
    steps: tuple[Mapping[str, Any], ...]
    trial: Trial
    flips: tuple[Flip, ...] = ()


class Bench:
    """A model, its data, and the mutants that are planned.

    The model is mutated in place and taken back; when the bench is left, every byte is as it was.

    Args:
        model: The model.
        mutants: Which mutants.
        data: As `gw.compare` takes it; kept, for it is gone through many times.
        seed: The campaign's seed.
        batch_size: Samples a batch; None for what fits.
        tolerance: By how much an output may change and count as unmoved, relative to the largest.
        told: Whether a mutant's recipe, its fingerprint and the bits that it flips are asked for.

    Attributes:
        ready_in: How many seconds of the last `run` the original took.

    Raises:
        DataError: There are no samples, or they do not fit the model.
        SelectionError: No operator has a site.
    """

    def __init__(
        self,
        model: Any,
        mutants: Mutants,
        data: Any,
        *,
        seed: Seed,
        batch_size: int | None,
        tolerance: float,
        told: bool = True,
    ) -> None:
        if batch_size is not None:
            check_integer("campaign", "batch_size", batch_size, low=1)
        self._told = told
        self.ready_in = 0.0
        self._model = model
        self._backend = backend_of(model)
        self._rerun = self._backend.rerun(model)
        self._tolerance = tolerance
        self._seed = seed
        data = (
            list(cast("Iterator[Any]", data)) if isinstance(data, Iterator) else data
        )  # it is gone through more than once
        first = next(iter(batches(data, batch_size=batch_size or 32)), None)
        if first is None:
            raise DataError("data: holds no samples, so nothing can be told of mutants.")
        self.example = first_samples(first.inputs, 2)
        self._outputs(0, self.example)  # before anything is planned for a model that cannot take them
        self.network = self._backend.network(model, self.example)
        self.network.look_again()
        self.planned = PlannedMutants(mutants, self.network, seed)
        self.network.look_again()
        with self._rerun:
            size = batch_size or self._fitting(first)
        self.batch_size = size
        self._batches = list(batches(data, batch_size=size))
        self._maker = Maker(model, self.network, self.example)
        self._at: int | None = None  # the batch that the rerun stands at, and what the original gives for it
        self._before: tuple[Outputs, Judged] | None = None
        with self._rerun:
            self.original = self._look()
        self._at = None

    def __enter__(self) -> Self:
        self._rerun.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at = None
        self._rerun.__exit__(kind, error, trace)

    @hearing
    def run(self, numbers: Sequence[int]) -> list[Tried]:
        """Run some mutants on all data: batches outside, mutants inside.

        Args:
            numbers: The mutants' numbers.
        """
        mutants = [self.planned.mutant(number) for number in numbers]
        known: dict[int, tuple[Made, Tally | Trial]] = {}
        start, ready = 0, 0.0
        for at, batch in enumerate(self._batches):
            began = time.monotonic()
            before, judged = self._start(at, batch)
            ready += time.monotonic() - began
            for mutant in mutants:
                made = known.get(mutant.number)
                if made is None or isinstance(made[1], Tally):
                    known[mutant.number] = self._one(mutant, made, (at, start), before, judged)
                checkpoint()
            start += len(judged.right)
        self.ready_in = ready
        found: list[Tried] = []
        for mutant in mutants:
            made, tally = known[mutant.number]
            trial = tally.trial(self.original.score) if isinstance(tally, Tally) else tally
            if made.result == self._maker.original:
                trial = dataclasses.replace(trial, note="no byte changed")
            elif made.kept and trial.status is None and (trial.largest_change or 0.0) <= _ROUNDING:
                note = "proved equal: the function is kept, checked in float64; outputs differ by rounding"
                trial = dataclasses.replace(trial, status=Outcome.UNCHANGED, note=note)
            found.append(Tried(mutant, made.steps, trial, made.flips))
        return found

    def _one(
        self,
        mutant: Mutant,
        known: tuple[Made, Tally | Trial] | None,
        place: tuple[int, int],
        before: Outputs,
        judged: Judged,
    ) -> tuple[Made, Tally | Trial]:
        made = None if known is None else known[0]
        if known is not None and known[0].result == self._maker.original and isinstance(known[1], Tally):
            known[1].same(place[1], judged)
            return known
        try:
            with self._maker.mutant(mutant, describe=self._told and known is None) as now:
                made = now if made is None else made
                tally = self._tally(made.result) if known is None else known[1]
                assert isinstance(tally, Tally)  # a trial is over
                if made.result == self._maker.original:
                    tally.same(place[1], judged)
                    return made, tally
                try:
                    after = self._rerun.again(now.changed)
                    if after is not None and [a.shape for a in after] != [b.shape for b in before]:
                        raise DataError(f"its outputs have the shapes {[a.shape for a in after]}.")
                except Exception as error:  # whatever a mutant's forward pass raises
                    lines = str(error).strip().splitlines() or [""]
                    note = f"{type(error).__name__}: {lines[0]}"
                    return made, Trial(status=Outcome.CRASHED, result=made.result, note=note)
                if after is None:
                    tally.same(place[1], judged)
                else:
                    tally.add(place[1], before, after, judged, self._judge.judge(place[0], after[0]))
                return made, tally
        except GenewrightError as error:
            refused = Made(None, None, ())
            return refused, Trial(status=Outcome.REFUSED, note=f"{type(error).__name__}: {error}")
        finally:
            self.network.look_again()

    def _start(self, at: int, batch: Batch) -> tuple[Outputs, Judged]:
        if self._at != at or self._before is None:
            outputs = [np.array(array) for array in self._rerun.start(batch.inputs)]
            self._at, self._before = at, (outputs, self._judge.judge(at, outputs[0]))
        return self._before

    def _tally(self, result: str | None) -> Tally:
        return Tally(result, self.original.samples, self._tolerance, has_targets=self._judge.kind != "none")

    @hearing
    def _look(self) -> Original:
        """Run the original once on everything."""
        outputs = [self._outputs(number, batch.inputs)[0] for number, batch in enumerate(self._batches)]
        targets = [None if b.targets is None else self._backend.numeric(b.targets) for b in self._batches]
        self._judge = Judge(outputs, targets)
        judged = [self._judge.judge(number, rows) for number, rows in enumerate(outputs)]
        right = np.concatenate([one.right for one in judged])
        return Original(
            fingerprint=self._maker.original,
            right=right,
            classes=self._judge.classes(),
            confidence=np.concatenate([confidence(rows) for rows in outputs]),
            score=float(np.concatenate([one.scores for one in judged]).mean()),
            targets=self._judge.kind,
        )

    def _outputs(self, number: int, inputs: Any) -> Outputs:
        try:
            outputs = self._backend.predict(self._model, inputs)
        except GenewrightError:
            raise
        except Exception as error:  # whatever the model's own code raises
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(f"data: the model cannot take batch {number}: {lines[0]}") from error
        if not outputs or not outputs[0].ndim or outputs[0].shape[0] != count(inputs):
            raise DataError(
                f"data: batch {number} has {count(inputs)} samples, and the model's first output is "
                f"{outputs[0].shape if outputs else 'missing'}: samples lie along its first axis."
            )
        return outputs

    def _fitting(self, batch: Batch) -> int:
        """Return how many samples a batch may have: a power of two, so that what is kept of it stays small."""
        small = first_samples(batch.inputs, 2)
        each = self._rerun.sample_bytes(small, count(small))
        fitting = _MOST_SAMPLES if not each else max(8, min(_MOST_SAMPLES, _KEPT_BYTES // each))
        return 256 if each is None else 1 << (int(fitting).bit_length() - 1)
