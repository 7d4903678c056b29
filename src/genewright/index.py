"""Index: positions along an axis, as an array, or as the runs that a recipe writes until somebody needs the array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError

Positions = NDArray[np.int64]
Run = tuple[int, int, int]


class Index:
    """Integers in order, such as "the old units 0 to 511, then 3, then 77"; it never changes.

    A recipe writes them as runs: an int is itself, ``[start, count]`` counts up from `start`, and
    ``[start, count, step]`` counts in steps (0 repeats). A few bytes can so stand for very many integers: length and
    ends are known without the array, so that a check comes before any memory is asked for.

    Example:
        >>> Index.of([0, 1, 2, 3, 7, -1, -1]).to_json()
        [[0, 4], 7, [-1, 2, 0]]
        >>> Index.from_json([[0, 4], 7]).array.tolist()
        [0, 1, 2, 3, 7]
    """

    __slots__ = ("_array", "_runs", "size")

    size: int

    def __init__(self, *, array: Positions | None = None, runs: tuple[Run, ...] = ()) -> None:
        self._array = array
        self._runs = None if array is not None else runs
        self.size = len(array) if array is not None else sum(count for _, count, _ in runs)

    @classmethod
    def of(cls, positions: Sequence[int] | range | NDArray[Any] | Index) -> Index:
        """Return the index of these integers, in their order."""
        if isinstance(positions, Index):
            return positions
        if isinstance(positions, range):
            runs = ((positions.start, len(positions), positions.step),) if len(positions) else ()
            return cls(runs=runs)
        array = np.array(positions, np.int64).reshape(-1)
        array.flags.writeable = False
        return cls(array=array)

    @property
    def array(self) -> Positions:
        """The integers, read-only."""
        if self._array is None:
            parts = [
                np.full(count, start, np.int64) if not step else start + step * np.arange(count, dtype=np.int64)
                for start, count, step in self._runs or ()
            ]
            array = np.concatenate(parts) if parts else np.empty(0, np.int64)
            array.flags.writeable = False
            self._array = array
        return self._array

    def within(self, low: int, high: int) -> bool:
        """Whether all lie in [low, high)."""
        if self._array is None:
            ends = [end for start, count, step in self._runs or () for end in (start, start + (count - 1) * step)]
            return all(low <= end < high for end in ends)
        return not self.size or (low <= int(self._array.min()) and int(self._array.max()) < high)

    def distinct(self) -> bool:
        """Whether no integer comes twice; ask `within` first."""
        if self.size == 1:
            return True
        if self._array is None and self._runs and len(self._runs) == 1:
            return self._runs[0][2] != 0 or self._runs[0][1] == 1
        return len(np.unique(self.array)) == self.size

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(cast("list[int]", self.array.tolist()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.size == other.size and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash(self.array.tobytes())

    def __repr__(self) -> str:
        return f"Index({self.to_json()})"

    def to_json(self) -> list[Any]:
        """Return the runs as JSON holds them."""
        runs = _runs_of(self.array) if self._runs is None else self._runs
        return [
            start if count == 1 else [start, count] if step == 1 else [start, count, step]
            for start, count, step in runs
        ]

    @classmethod
    def from_json(cls, form: Any) -> Index:
        """Read what `to_json` wrote; nothing is spelled out yet.

        Raises:
            RecipeError: It is damaged.
        """
        if not isinstance(form, list):
            raise RecipeError(f"The recipe is damaged: positions are a list of runs; received {_short(form)}.")
        return cls(runs=tuple(_run(entry) for entry in cast("list[Any]", form)))


def _run(entry: Any) -> Run:
    numbers = cast("list[Any]", entry) if isinstance(entry, list) else [entry, 1]
    whole = all(isinstance(n, int) and not isinstance(n, bool) and abs(n) < 1 << 53 for n in numbers)
    if not whole or len(numbers) not in (2, 3) or numbers[1] < 1:
        raise RecipeError(
            f"The recipe is damaged: a run is [start, count] or [start, count, step]; received {_short(entry)}."
        )
    start, count, step = (*numbers, 1)[:3]
    return start, count, step


def _runs_of(array: Positions) -> list[Run]:
    """Cut integers, from the left, into the longest runs with a step of 1 or 0."""
    if not len(array):
        return []
    steps = np.diff(array)
    edges = np.append(np.flatnonzero(np.diff(steps)) + 1, len(steps))  # where the next step differs
    values: list[int] = array.tolist()
    step_at: list[int] = steps.tolist()
    runs: list[Run] = []
    start, edge = 0, 0
    while start < len(values):
        step = step_at[start] if start < len(step_at) else 1
        if step not in (0, 1):
            runs.append((values[start], 1, 1))
            start += 1
            continue
        while edge < len(edges) and edges[edge] <= start:
            edge += 1
        last = int(edges[edge]) if edge < len(edges) else start
        runs.append((values[start], last - start + 1, step if last > start else 1))
        start = last + 1
    return runs


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
