"""Share: entries of a tensor give a share of themselves to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits.edit import View
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.elements import rounded
from genewright.index import Index
from genewright.part import Part, along
from genewright.tensor import COMPLEX, Tensor

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Share(ValueEdit):
    """Move shares between entries along an axis, one after the other: moved = round(share * source).

    target' = moved where `fresh`, else target + moved; source' = source - moved. The sum stays, and where the share is
    at least a half the subtraction is exact (Sterbenz), so that the way back, a share of 1, gives the first bits.

    Attributes:
        tensor: The tensor's name.
        axis: The axis.
        source: The entries that give.
        target: The entries that receive, as many.
        share: How much of the source, as many.
        fresh: What a target held before does not count.
    """

    tensor: str
    axis: int
    source: Index
    target: Index
    share: Numbers
    fresh: bool = False

    part: Part = ()  # the whole tensor: entries are named by `source` and `target`

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", np.array(self.share, np.float64).reshape(-1))

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        size = tensor.shape[self.axis] if 0 <= self.axis < len(tensor.shape) else -1
        if size < 0 or not all(index.within(0, size) for index in (self.source, self.target)):
            raise self.mismatch(tensor, f"axis {self.axis} has no such entries")
        if not self.source.size == self.target.size == self.share.size:
            raise self.mismatch(
                tensor, f"{self.source.size} sources, {self.target.size} targets and {self.share.size} shares"
            )

    def rounds(self, view: View) -> bool:
        exact = self.fresh or view.tensor(self.tensor).dtype in ("float64", "complex128")
        return not exact  # what is fresh adds up bit for bit

    def apply(self, site: Site) -> None:
        dtype = site.store.tensor(self.tensor).dtype
        touched = np.unique(np.concatenate([self.source.array, self.target.array]))  # all else is not even read
        if touched.size:
            site.rewrite(self.tensor, along(self.axis, touched), lambda values: self._shared(values, touched, dtype))

    def takes(self, dtype: str) -> bool:
        return super().takes(dtype) or dtype in COMPLEX  # the share is a real factor

    def words(self) -> str:
        return f"{len(self.target)} entries of axis {self.axis} " + (
            "get shares of those that they copy" if self.fresh else "added to those of their originals"
        )

    def _shared(self, values: Any, touched: NDArray[np.int64], dtype: str) -> Any:
        rows = values.swapaxes(0, self.axis)
        giving, taking = (np.searchsorted(touched, index.array) for index in (self.source, self.target))
        for turn in _turns(giving, taking):
            source, target = giving[turn], taking[turn]
            share = self.share[turn].reshape(-1, *(1,) * (len(rows.shape) - 1))
            share = rows.new_tensor(share) if hasattr(rows, "new_tensor") else share.astype(rows.dtype)
            moved = rounded(rows[source] * share, dtype)
            rows[target] = moved if self.fresh else rounded(rows[target] + moved, dtype)
            rows[source] = rounded(rows[source] - moved, dtype)
        return values

    def __eq__(self, other: object) -> bool:
        mine = (self.tensor, self.axis, self.source, self.target, self.fresh)
        return (
            isinstance(other, Share)
            and mine == (other.tensor, other.axis, other.source, other.target, other.fresh)
            and np.array_equal(self.share, other.share)
        )

    def __hash__(self) -> int:
        return hash((self.tensor, self.axis, self.source, self.target))


def _turns(source: NDArray[np.int64], target: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut moves into turns that can each be made at once: within one, no entry gives or receives twice.

    A move comes after all earlier ones that touch an entry of its own.
    """
    if not len(source):
        return []
    apart = not np.intersect1d(source, target).size
    if apart and len(np.unique(target)) == len(target):
        turns = _occurrence(source)
    elif apart and len(np.unique(source)) == len(source):
        turns = _occurrence(target)
    else:
        turns = _levels(source.tolist(), target.tolist())
    return [np.flatnonzero(turns == turn) for turn in range(int(turns.max()) + 1)]


def _occurrence(entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each entry how often it has occurred before."""
    order = np.argsort(entries, kind="stable")
    first = np.flatnonzero(np.diff(entries[order], prepend=-1))
    counts = np.diff(np.append(first, len(entries)))
    out = np.empty(len(entries), np.int64)
    out[order] = np.arange(len(entries)) - np.repeat(first, counts)
    return out


def _levels(source: list[int], target: list[int]) -> NDArray[np.int64]:
    level: dict[int, int] = {}
    turns: list[int] = []
    for giving, taking in zip(source, target, strict=True):
        turn = max(level.get(giving, 0), level.get(taking, 0))
        level[giving] = level[taking] = turn + 1
        turns.append(turn)
    return np.array(turns, np.int64)
