"""How the outputs of a model are judged, sample by sample, beside targets and beside the original's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import DataError
from genewright.metrics import predictions
from genewright.targets import Scale, are_binary, as_classes, beside

Numbers = NDArray[Any]
Kind = Literal["classes", "binary", "values", "none"]


@dataclass(frozen=True)
class Judged:
    """What the outputs of a batch are worth.

    Attributes:
        right: Per sample, whether it is right at every position; of values and without targets: always.
        scores: Per sample, the share of positions that are right; of values, minus the mean squared error.
        predicted: Per sample and position the class, or None where outputs are values.
    """

    right: NDArray[np.bool_]
    scores: NDArray[np.float64]
    predicted: NDArray[np.int64] | None


class Judge:
    """Judges the batches of one data set; what its targets are is settled by the original's outputs.

    Args:
        outputs: The original's first outputs, batch by batch.
        targets: The targets of each batch; None where the data has none.

    Raises:
        DataError: Some batches have targets and others none, or what they mean is not known.
    """

    def __init__(self, outputs: Sequence[Numbers], targets: Sequence[Numbers | None]) -> None:
        given = [one for one in targets if one is not None]
        if given and len(given) != len(targets):
            raise DataError("data: some batches have targets and others have none. Give (X, y), or batches (x, y).")
        self.kind: Kind = "none"
        self._targets: list[Any] = list(targets)
        self._classes_first = False
        self._threshold = 0.5
        if given:
            self._settle(outputs, given)

    def _settle(self, outputs: Sequence[Numbers], targets: list[Numbers]) -> None:
        read = [as_classes(rows, wanted) for rows, wanted in zip(outputs, targets, strict=True)]
        if None not in read:
            self.kind = "classes"
            self._targets = [pair[1] for pair in read if pair is not None]
            for rows, wanted in (pair for pair in read if pair is not None):
                if wanted.size and int(wanted.max()) >= rows.shape[-1]:
                    raise DataError(
                        f"data: outputs have {rows.shape[-1]} classes, numbered from 0, and a target is "
                        f"{int(wanted.max())}. Give targets from 0 to {rows.shape[-1] - 1}."
                    )
            self._classes_first = read[0] is not None and read[0][0].shape != outputs[0].shape
            return
        placed = [beside(rows, wanted) for rows, wanted in zip(outputs, targets, strict=True)]
        if None in [None if one is None else 0 for one in placed]:
            raise DataError(
                f"data: what targets of shape {targets[0].shape} mean beside outputs of shape {outputs[0].shape} is "
                "not known. Give classes (whole numbers or one-hot rows), zeros and ones, or values of that shape."
            )
        self._targets = placed
        self.kind = "binary" if all(are_binary(one) for one in placed if one is not None) else "values"
        scale = Scale()
        for rows in outputs:
            scale.look(rows)
        self._threshold = scale.threshold

    def judge(self, number: int, outputs: Numbers) -> Judged:
        """Return what a model's first outputs for a batch are worth.

        Args:
            number: The batch's number.
            outputs: The outputs.
        """
        wanted: Numbers = self._targets[number]
        samples: int = outputs.shape[0]
        if self.kind == "classes":
            rows = np.moveaxis(outputs, 1, -1) if self._classes_first else outputs
            predicted = predictions(rows)
            assert predicted is not None  # targets are classes only beside outputs with a class axis
            right = np.equal(predicted, wanted).reshape(samples, -1)
            return _of_bits(right, predicted.reshape(samples, -1))
        if self.kind == "binary":
            above = (outputs > self._threshold).astype(np.int64).reshape(samples, -1)
            known = ~np.isnan(outputs).reshape(samples, -1)
            return _of_bits(np.equal(above, wanted.reshape(samples, -1)) & known, np.where(known, above, -1))
        if self.kind == "values":
            with np.errstate(invalid="ignore", over="ignore"):
                squares = (outputs.astype(np.float64) - wanted.astype(np.float64)) ** 2
            scores: NDArray[np.float64] = np.mean(np.reshape(-squares, (samples, -1)), axis=1)
            return Judged(np.ones(samples, np.bool_), scores, None)
        predicted = predictions(outputs)
        flat = None if predicted is None else np.reshape(predicted, (samples, -1))
        return Judged(np.ones(samples, np.bool_), np.ones(samples), flat)

    def classes(self) -> NDArray[np.int64] | None:
        """Return the class of every sample, where each has one."""
        if self.kind != "classes" or any(one.ndim != 1 for one in self._targets):
            return None
        return np.concatenate(cast("list[NDArray[np.int64]]", self._targets))


def confidence(outputs: Numbers) -> NDArray[np.float32]:
    """Return the largest class probability of every sample, the least over its positions; NaN without a class axis.

    Outputs that are no distributions are taken for logits.
    """
    if outputs.ndim < 2 or outputs.shape[-1] < 2 or outputs.dtype.kind != "f":
        return np.full(len(outputs), np.nan, np.float32)
    rows: Numbers = outputs.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        if rows.min() < 0 or np.abs(rows.sum(axis=-1) - 1).max() > 1e-3:
            rows = np.exp(rows - rows.max(axis=-1, keepdims=True))
            rows = rows / rows.sum(axis=-1, keepdims=True)
    largest: Numbers = np.reshape(np.max(rows, axis=-1), (len(rows), -1))
    return np.min(largest, axis=1).astype(np.float32)


def _of_bits(right: NDArray[np.bool_], predicted: NDArray[np.int64]) -> Judged:
    if right.shape[1] == 1:
        flat: NDArray[np.bool_] = right.reshape(-1)
        return Judged(flat, flat.astype(np.float64), predicted)
    return Judged(np.all(right, axis=1), np.mean(right, axis=1), predicted)
