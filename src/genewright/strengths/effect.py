"""The effect of a mutation on a model's outputs: one number from data, averaged over a few seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.batches import Batch, batches
from genewright.errors import DataError, GenewrightError, SettingError
from genewright.interrupts import hearing
from genewright.metrics import chosen, gauges, predictions
from genewright.mutate import mutated
from genewright.operator import AnyOperator
from genewright.seeding import Seed

Numbers = NDArray[Any]
DISAGREEMENT, OUTPUT_CHANGE = "disagreement", "output_change"


class Effect:
    """Measures what mutants of one model change on some data; the model is mutated in place, and back afterwards.

    Args:
        model: The model.
        data: As in `gw.compare`; all batches and the original's outputs are kept.
        measure: "disagreement": the share of predictions that are another class. "output_change":
            |f' - f| / |f|, Euclidean norms over the first outputs of all samples. Or a metric of `gw.compare`: how far
            it moves, |after - before|.
        seeds: Of the mutants whose mean counts.
        example: A sample input, for operators that need one; None takes the first batch.
        donors: As in `gw.mutate`.
        batch_size: Samples a batch, where arrays are split.

    Raises:
        DataError: There are no samples, or they do not fit the model or the measure.
        SettingError: The measure is unknown.
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        measure: Any,
        seeds: Sequence[Seed],
        *,
        example: Any = None,
        donors: Mapping[str, Any] | None = None,
        batch_size: int = 256,
    ) -> None:
        self._model, self._seeds, self._example, self._donors = model, seeds, example, donors
        self._backend = backend_of(model)
        self._batches = list(batches(data, batch_size=batch_size))
        if not self._batches:
            raise DataError("calibrate: the data holds no samples.")
        self._metric = None if measure in (DISAGREEMENT, OUTPUT_CHANGE) else _one_metric(measure)
        self._before = [self._outputs(batch) for batch in self._batches]
        self._classes = [predictions(outputs) for outputs in self._before]
        self.measure = measure if isinstance(measure, str) else self._metric[0] if self._metric else ""
        if measure == DISAGREEMENT and any(classes is None for classes in self._classes):
            raise DataError(
                "calibrate: measure='disagreement' compares predicted classes, and the outputs have no class axis. "
                "Take measure='output_change', or a metric."
            )
        if self._metric is not None and any(batch.targets is None for batch in self._batches):
            raise DataError(f"calibrate: the metric {self.measure!r} needs targets. Give the data as (X, y).")
        if example is None:
            self._example = self._batches[0].inputs
        self._score = self._scored(self._before) if self._metric is not None else math.nan

    @property
    def resolution(self) -> float:
        """The smallest difference of two means: one prediction, where predictions are counted; else 0."""
        if self.measure not in (DISAGREEMENT, "accuracy"):
            return 0.0
        return 1 / (len(self._seeds) * max(1, sum(c.size for c in self._classes if c is not None)))

    def of(self, operator: AnyOperator, measure: str | None = None) -> float:
        """Return the mean effect of an operator over the seeds; infinite where outputs are NaN or infinite.

        Args:
            operator: The operator.
            measure: "output_change", where that is asked for besides the measure itself.

        Raises:
            GenewrightError: The mutation is refused.
        """
        found: list[float] = []
        for seed in self._seeds:
            with mutated(self._model, operator, seed=seed, example=self._example, donors=self._donors) as mutant:
                after = [self._outputs(batch, mutant) for batch in self._batches]
            found.append(self._changed(after, measure or self.measure))
        return float(np.mean(found))

    def _changed(self, after: list[Numbers], measure: str) -> float:
        if not all(np.isfinite(outputs).all() for outputs in after):
            return math.inf
        if measure == OUTPUT_CHANGE:
            pairs = [(b.astype(np.float64), a.astype(np.float64)) for b, a in zip(self._before, after, strict=True)]
            moved = sum(float(np.square(a - b).sum()) for b, a in pairs)
            whole = sum(float(np.square(b).sum()) for b, _ in pairs)
            return math.sqrt(moved / whole) if whole else math.inf if moved else 0.0
        if self._metric is not None:
            return abs(self._scored(after) - self._score)
        classes = [predictions(outputs) for outputs in after]
        differ = sum(int((a != b).sum()) for a, b in zip(self._classes, classes, strict=True) if a is not None)
        return differ / sum(a.size for a in self._classes if a is not None)

    def _scored(self, outputs: list[Numbers]) -> float:
        assert self._metric is not None
        gauge, _ = gauges(*self._metric)
        for made, batch in zip(outputs, self._batches, strict=True):
            gauge.add([made], self._backend.numeric(batch.targets))
        return gauge.value()

    @hearing
    def _outputs(self, batch: Batch, model: Any = None) -> Numbers:
        try:
            outputs = self._backend.predict(self._model if model is None else model, batch.inputs)
        except GenewrightError:
            raise
        except Exception as error:  # whatever the model's own code raises
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(f"calibrate: the model cannot take the data: {lines[0]}") from error
        if not outputs:
            raise DataError("calibrate: the model returns no tensors.")
        return outputs[0]


def _one_metric(measure: Any) -> tuple[str, Any]:
    try:
        named = chosen(measure) or {}
    except SettingError as error:
        raise SettingError(
            f"calibrate: measure is 'disagreement', 'output_change' or a metric of gw.compare. {error}"
        ) from None
    if len(named) != 1:
        raise SettingError(f"calibrate: measure is one metric; received {measure!r}.")
    return next(iter(named.items()))
