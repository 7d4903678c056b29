"""Undo: the old bytes of what a change touches, kept at the cost of the change and not of the tensor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError


@dataclass(frozen=True, slots=True, eq=False)
class Undo:
    """A journal of old values: sparse (positions and values) where few elements are hit, else a plain copy.

    Args:
        positions: Ascending places in the array that was changed, or None if `old` is all of it.
        old: Their values before the change.
        length: The length of the array that was changed.

    Example:
        >>> values = np.array([1.0, 2.0, 3.0])
        >>> undo = Undo(np.array([1]), values[[1]], 3)
        >>> values[1] = -7.0
        >>> undo.restore(values)
        >>> values.tolist()
        [1.0, 2.0, 3.0]
    """

    positions: NDArray[np.unsignedinteger] | NDArray[np.signedinteger] | None
    old: NDArray[Any]
    length: int

    def restore(self, values: NDArray[Any]) -> None:
        """Write every old byte back into the array that was changed.

        Raises:
            SettingError: If the array is not the one that was changed, by its length and type.
        """
        if values.shape != (self.length,) or values.dtype != self.old.dtype:
            raise SettingError(
                f"this journal belongs to {self.length} elements of {self.old.dtype}, "
                f"got {values.dtype} of shape {values.shape}"
            )
        bits = np.dtype(f"u{self.old.dtype.itemsize}")  # as integers: no NaN is touched on the way
        values.view(bits)[slice(None) if self.positions is None else self.positions] = self.old.view(bits)

    @property
    def nbytes(self) -> int:
        """The memory that the journal holds, in bytes."""
        return self.old.nbytes + (0 if self.positions is None else self.positions.nbytes)


def sparse_pays(rate: float, values: NDArray[Any]) -> bool:
    """Return whether positions and values of the hits are smaller than a copy of all values."""
    position = 4 if len(values) < 1 << 32 else 8
    return rate * (position + values.dtype.itemsize) < values.dtype.itemsize
