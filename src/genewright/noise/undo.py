"""Undo: the old bytes of what a change touches, kept at the cost of the change and not of the tensor.

It is there, and in the caller's hands, before the first byte changes, and it is right at every instant from then on: an
element is overwritten only after its old value has been noted here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError

_PATTERNS: Final = {width: np.dtype(f"u{width}") for width in (1, 2, 4, 8)}
"""Bytes of an element -> unsigned integers of as many."""

Journal = Callable[["Undo"], object]
"""What receives the undo of a change before it begins: the `append` of a list, for example."""


@dataclass(slots=True, eq=False)  # not frozen: there is one for every tensor of a mutation
class Noted:
    """Old values of a stretch of an array.

    Args:
        start: Where in the array the stretch begins.
        old: The values before the change.
        positions: Their places in the stretch; None if they are consecutive, from its beginning.
        count: One uint64, how many positions and values are there yet, in memory that whoever notes them writes;
            None if all are.
    """

    start: int
    old: NDArray[Any]
    positions: NDArray[np.unsignedinteger] | None = None
    count: NDArray[np.uint64] | None = None

    def restore(self, values: NDArray[Any]) -> None:
        """Write the old values into the array."""
        old, positions = self.old, self.positions
        if positions is None:
            values[self.start : self.start + len(old)] = old  # of one type: byte by byte
            return
        pattern = _PATTERNS[values.dtype.itemsize]  # as integers: no NaN is touched on the way
        there = len(old) if self.count is None else int(self.count[0])
        values.view(pattern)[self.start :][positions[:there]] = old.view(pattern)[:there]

    @property
    def nbytes(self) -> int:
        """The memory that this holds, in bytes."""
        return self.old.nbytes + (0 if self.positions is None else self.positions.nbytes)


@dataclass(slots=True, eq=False)
class Undo:
    """A journal of old values: sparse (positions and values) where few elements are hit, else a plain copy.

    Args:
        length: The length of the array that is changed.
        dtype: Its type.
        noted: The old values, of different elements each; it may grow while the change goes on.
        settle: Waits until nobody changes the array any more; called, if given, before anything is brought back.

    Example:
        >>> values = np.array([1.0, 2.0, 3.0])
        >>> undo = Undo(3, values.dtype, [Noted(0, values[[1]], np.array([1], np.uint32))])
        >>> values[1] = -7.0
        >>> undo.restore(values)
        >>> values.tolist()
        [1.0, 2.0, 3.0]
    """

    length: int
    dtype: np.dtype[Any]
    noted: list[Noted] = field(default_factory=list[Noted])
    settle: Callable[[], None] | None = None

    def restore(self, values: NDArray[Any]) -> None:
        """Write every old byte back into the array that was changed, however far the change came.

        It may be called at any time and any number of times; one that was interrupted is finished by the next.

        Raises:
            SettingError: If the array is not the one that was changed, by its length and type.
        """
        if values.shape != (self.length,) or values.dtype != self.dtype:
            raise SettingError(
                f"this journal belongs to {self.length} elements of {self.dtype}, "
                f"got {values.dtype} of shape {values.shape}"
            )
        if self.settle is not None:
            self.settle()
        for noted in self.noted:
            noted.restore(values)

    @property
    def nbytes(self) -> int:
        """The memory that the journal holds, in bytes."""
        return sum(noted.nbytes for noted in self.noted)


def sparse_pays(rate: float, values: NDArray[Any]) -> bool:
    """Return whether positions and values of the hits are smaller than a copy of all values."""
    return rate * (position_type(values).itemsize + values.dtype.itemsize) < values.dtype.itemsize


def position_type(values: NDArray[Any]) -> np.dtype[Any]:
    """Return the narrowest type of places in the array."""
    return np.dtype(np.uint32 if len(values) < 1 << 32 else np.uint64)
