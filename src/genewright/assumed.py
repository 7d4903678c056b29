"""The metric that is meant where none is named: accuracy where the targets are classes, else the mean squared error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genewright.errors import DataError
from genewright.targets import Numbers, Scale, are_binary, as_classes, beside

_THRESHOLDS = (0.0, 0.5)


class Assumed:
    """Takes in the outputs of a model and its mutant batch by batch, and says at the end what the targets were.

    One batch does not tell: all of its rows of labels may hold one 1 each, or all of its values be 0 or 1.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self._scale = Scale()
        self._count = {"classes": 0, "values": 0}
        self._classes = self._binary = self._values = True
        self._right = np.zeros(2, np.int64)
        self._above = {threshold: np.zeros(2, np.int64) for threshold in _THRESHOLDS}
        self._squares = np.zeros(2)

    def add(self, both: Sequence[Numbers], targets: Numbers) -> None:
        """Take in one batch: the first outputs of the original and of the mutant, of one shape."""
        self._seen.append((both[0].shape, targets.shape))
        read = [as_classes(outputs, targets) for outputs in both]
        self._classes = self._classes and None not in read
        for who, found in enumerate(read if self._classes else ()):
            assert found is not None
            outputs, classes = found
            right = (outputs.argmax(axis=-1) == classes) & ~np.isnan(outputs).any(axis=-1)
            self._right[who] += int(right.sum())
            self._count["classes"] += right.size * (who == 0)
        wanted = beside(both[0], targets)
        self._values = self._values and wanted is not None
        self._binary = self._values and self._binary and are_binary(targets)
        if wanted is None:
            return
        self._count["values"] += wanted.size
        for who, outputs in enumerate(both):
            with np.errstate(invalid="ignore", over="ignore"):
                self._squares[who] += float(((outputs.astype(np.float64) - wanted) ** 2).sum())
            self._scale.look(outputs)
            for threshold in _THRESHOLDS:
                right = ((outputs > threshold) == (wanted == 1)) & ~np.isnan(outputs)
                self._above[threshold][who] += int(right.sum())

    def measured(self) -> tuple[str, float, float]:
        """Return the metric's name, and its value before and after.

        Raises:
            DataError: The targets stand for nothing that is known; the message says what does.
        """
        if self._classes:
            before, after = self._right / self._count["classes"]
            return "accuracy", float(before), float(after)
        if self._binary:
            before, after = self._above[self._scale.threshold] / self._count["values"]
            return "accuracy", float(before), float(after)
        if self._values:
            before, after = self._squares / self._count["values"]
            return "mse", float(before), float(after)
        outputs, targets = self._seen[0]
        raise DataError(
            f"compare: what targets of shape {targets} mean beside outputs of shape {outputs} is not known: they are "
            "neither classes (numbers, a column of numbers, one-hot rows), nor zeros and ones or values of that "
            "shape. Name what to measure: metrics=, a function (outputs, targets) -> float; or metrics=() for nothing."
        )
