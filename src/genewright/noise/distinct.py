"""Exactly so many elements: the first distinct of a stream of draws, and a change of nothing but them.

Draw j is floor(u_j * size), u_j being the 53 bits of the purpose SETTING at index j. Each element is as likely as any
other, and the elements of a count are among those of a higher count.
"""

from __future__ import annotations

from math import ceil, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.change import Change
from genewright.noise.discrete import uniform01
from genewright.noise.key import Stream
from genewright.noise.reference import changed
from genewright.noise.undo import Journal, Noted, Undo, position_type

_LARGEST: Final = 1 << 53


def distinct(stream: Stream, count: int, size: int) -> NDArray[np.int64]:
    """Return `count` different elements of range(size), drawn without replacement, ascending.

    Args:
        stream: From `derive`.
        count: How many, at most `size`.
        size: How many there are, below 2**53.

    Raises:
        SettingError: `count` is not from 0 to `size`, or `size` too large.

    Example:
        >>> stream = Stream(key=1, tweak=2)
        >>> set(distinct(stream, 3, 1000)) < set(distinct(stream, 4, 1000))
        True
        >>> distinct(stream, 4, 4).tolist()
        [0, 1, 2, 3]
    """
    if not 0 <= count <= size < _LARGEST:
        raise SettingError(f"need 0 <= count <= size < 2**53, got count={count}, size={size}")
    if count in (0, size):
        return np.arange(count, dtype=np.int64)
    if count == 1:
        return np.array([min(int(uniform01(stream) * size), size - 1)], np.int64)
    number = ceil(1.1 * size * log(size / (size - count))) + 64  # draws that will do, as a rule
    while True:
        drawn = (uniform01(stream, range(number)) * size).astype(np.int64)
        found, when = np.unique(np.minimum(drawn, size - 1), return_index=True)  # a product may be rounded up
        if found.size >= count:
            return np.sort(found[np.argsort(when)[:count]])
        number *= 2


def apply_at(
    values: NDArray[Any],
    elements: NDArray[np.int64],
    change: Change,
    stream: Stream,
    *,
    dtype: str,
    journal: Journal | None = None,
) -> None:
    """Change some elements of a tensor, each exactly as `apply` with a rate of 1 would change it.

    The work follows the elements and not the tensor, so the reference does it whatever other backends there are.

    Args:
        values: All elements of the tensor, as `apply` takes them.
        elements: The different positions that change.
        change: What happens to each; its rate has no say.
        stream: The stream of the tensor.
        dtype: As for `apply`.
        journal: Called with the `Undo` before anything changes.

    Raises:
        SettingError: An element does not exist.

    Example:
        >>> weights = np.zeros(5, np.float32)
        >>> apply_at(weights, np.array([1, 4]), Change(combine="replace", distribution="constant", scale=2.0),
        ...          Stream(key=1, tweak=2), dtype="float32")
        >>> weights.tolist()
        [0.0, 2.0, 0.0, 0.0, 2.0]
    """
    if elements.size and not 0 <= int(elements.min()) <= int(elements.max()) < len(values):
        raise SettingError(f"elements are from 0 to {len(values) - 1}, got {elements.min()} to {elements.max()}")
    old = values[elements]
    if journal is not None:
        journal(Undo(len(values), values.dtype, [Noted(0, old, elements.astype(position_type(values)))]))
    if not change.idle:
        values[elements] = made_of(old, elements, change, stream, dtype)


def made_of(old: NDArray[Any], elements: NDArray[np.int64], change: Change, stream: Stream, dtype: str) -> NDArray[Any]:
    """Return what elements become, in their stored form, of what they were."""
    if change.combine == "replace" and change.scale == 0:
        change = Change(combine="replace", distribution="constant", scale=0.0)  # +0.0, as `apply` has it
    return changed(old, elements.astype(np.uint64), change, stream, dtype)
