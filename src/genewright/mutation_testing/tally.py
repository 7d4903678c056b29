"""Tally: what one mutant does, batch by batch, until all samples are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.judging import Judged
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.trial import Trial

Outputs = list[NDArray[Any]]


class Tally:
    """The counts of one mutant on one model.

    Args:
        result: The mutant's fingerprint.
        samples: How many samples the data has.
        tolerance: By how much an output may change, relative to the largest of the original's in the batch.
        has_targets: Whether there is a right and a wrong.
    """

    def __init__(self, result: str | None, samples: int, tolerance: float, *, has_targets: bool) -> None:
        self._result = result
        self._tolerance = tolerance
        self._has_targets = has_targets
        self._wrong, self._changed, self._moved = (np.zeros(samples, np.bool_) for _ in range(3))
        self._differences = 0.0
        self._squares = 0.0
        self._largest = 0.0
        self._equal = True
        self._nonfinite = False

    def same(self, start: int, judged: Judged) -> None:
        """Take in a batch whose outputs are the original's to the bit."""
        if self._has_targets:
            self._wrong[start : start + len(judged.right)] = ~judged.right

    def add(self, start: int, before: Outputs, after: Outputs, of_original: Judged, of_mutant: Judged) -> None:
        """Take in a batch.

        Args:
            start: Number of its first sample.
            before: The original's outputs.
            after: The mutant's.
            of_original: What the original's are worth.
            of_mutant: What the mutant's are worth.
        """
        part = slice(start, start + len(of_original.right))
        moved = np.zeros(len(of_original.right), np.bool_)
        for old, new in zip(before, after, strict=True):
            if old.tobytes() == new.tobytes():
                continue
            self._equal = False
            moved |= self._moved_of(old, new)
        self._moved[part] = moved
        if of_original.predicted is not None and of_mutant.predicted is not None:
            self._changed[part] = (of_original.predicted != of_mutant.predicted).any(axis=1)
        else:
            self._changed[part] = moved
        self._wrong[part] = ~of_mutant.right if self._has_targets else self._changed[part]
        with np.errstate(invalid="ignore", over="ignore"):
            difference = of_mutant.scores - of_original.scores
            self._differences += float(difference.sum())
            self._squares += float((difference**2).sum())

    def _moved_of(self, old: NDArray[Any], new: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which samples' outputs moved by more than the tolerance; note the largest move."""
        rows = (old.reshape(old.shape[0], -1), new.reshape(new.shape[0], -1)) if old.ndim else (old[None], new[None])
        if old.dtype.kind not in "fc":
            return (rows[0] != rows[1]).any(axis=1)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            moves = np.abs(rows[1] - rows[0]).max(axis=1)  # of a row with an infinity or a NaN: one of these
            scale = float(np.abs(rows[0]).max())
            if not (np.isfinite(moves).all() and np.isfinite(scale)):
                moves, scale = self._moves_beyond(*rows)
            relative = moves / scale if scale else np.where(moves > 0, np.inf, 0.0)
        self._largest = max(self._largest, float(relative.max()))
        return relative > self._tolerance

    def _moves_beyond(self, old: NDArray[Any], new: NDArray[Any]) -> tuple[NDArray[Any], float]:
        """Return each sample's largest move, and the largest finite output, where some are not finite."""
        finite = np.isfinite(old)
        self._nonfinite = self._nonfinite or bool((finite & ~np.isfinite(new)).any())
        change = np.abs(new - old)
        alike = (old == new) | (np.isnan(old) & np.isnan(new))
        change = np.where(alike, 0.0, np.where(np.isfinite(change), change, np.inf))
        return change.max(axis=1), float(np.abs(old[finite]).max()) if finite.any() else 0.0

    def trial(self, score: float) -> Trial:
        """Return what came of it all.

        Args:
            score: The original's mean score.
        """
        number = len(self._wrong)
        mean = self._differences / number
        with np.errstate(invalid="ignore", over="ignore"):
            variance = max(0.0, self._squares - number * mean * mean) / max(1, number - 1)
        status = Outcome.UNCHANGED if self._equal else Outcome.NONFINITE if self._nonfinite else None
        return Trial(
            status=status,
            result=self._result,
            wrong=self._wrong,
            changed=self._changed,
            moved=self._moved,
            score=score + mean,
            difference=mean,
            spread=variance**0.5,
            largest_change=self._largest,
        )
