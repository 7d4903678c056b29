"""Shards: a block of a tensor, wherever it lies, changed on its own exactly as it would be inside the whole.

A value depends on its index in the full tensor, so a process that holds one shard (of FSDP, or of a DTensor along any
axis) needs to know only the full shape and where its block begins.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.change import Change
from genewright.noise.engine import apply
from genewright.noise.key import Stream
from genewright.noise.undo import Journal, Undo
from genewright.noise.weighted_sum import WeightedSum


@dataclass(frozen=True, slots=True, eq=False)
class ShardUndo:
    """The journals of a shard's runs: it grows while they are changed, each run's journal before the run.

    Args:
        shape: Of the shard.
        runs: Where in the shard, taken as one row of elements, a run lies, and its undo.
    """

    shape: tuple[int, ...]
    runs: list[tuple[slice, Undo]] = field(default_factory=list[tuple[slice, Undo]])

    def restore(self, values: NDArray[Any]) -> None:
        """Write every old byte back into the shard that was changed, however far the change came.

        It may be called at any time and any number of times.

        Raises:
            SettingError: If the array has not as many elements as the shard, in one piece.
        """
        if values.size != prod(self.shape) or not values.flags.c_contiguous:
            raise SettingError(
                f"this journal belongs to a contiguous shard of shape {self.shape}, "
                f"got shape {values.shape}, strides {values.strides}"
            )
        flat = values.reshape(-1)
        for place, undo in self.runs:
            undo.restore(flat[place])

    @property
    def nbytes(self) -> int:
        """The memory that the journals hold, in bytes."""
        return sum(undo.nbytes for _, undo in self.runs)


def runs(shape: Sequence[int], offset: Sequence[int], block: Sequence[int]) -> Iterator[tuple[slice, int]]:
    """Yield the stretches of a block that are consecutive in the full tensor: (place in the block, first index).

    Args:
        shape: Of the full tensor.
        offset: Where the block begins, per axis.
        block: The shape of the block.

    Raises:
        SettingError: If the block does not lie inside the tensor.

    Example:
        >>> list(runs((4, 6), (1, 2), (2, 3)))
        [(slice(0, 3, None), 8), (slice(3, 6, None), 14)]
        >>> list(runs((4, 6), (1, 0), (2, 6)))
        [(slice(0, 12, None), 6)]
    """
    axes = list(zip(shape, offset, block, strict=True))
    if not all(0 <= begin <= begin + length <= size for size, begin, length in axes):
        raise SettingError(f"a block of shape {tuple(block)} at {tuple(offset)} is not inside {tuple(shape)}")
    if 0 in block:
        return
    inner = len(axes)  # the axes behind `inner` are whole, so everything from the axis before them on is one run
    while inner and axes[inner - 1][2] == axes[inner - 1][0]:
        inner -= 1
    inner = max(inner - 1, 0)
    length = prod(block[inner:])
    strides = [prod(shape[axis + 1 :]) for axis in range(len(axes))]
    origin = sum(begin * stride for begin, stride in zip(offset, strides, strict=True))
    for number, outer in enumerate(np.ndindex(*block[:inner])):
        first = origin + sum(place * stride for place, stride in zip(outer, strides, strict=False))
        yield slice(number * length, (number + 1) * length), first


def apply_shard(
    values: NDArray[Any],
    change: Change | WeightedSum,
    stream: Stream,
    *,
    dtype: str,
    shape: Sequence[int],
    offset: Sequence[int],
    journal: Callable[[ShardUndo], object] | None = None,
) -> None:
    """Change a block of a tensor in place, as `apply` on the whole tensor would change that part of it.

    Args:
        values: The block, C-contiguous, of any number of dimensions.
        change: What happens to each hit element.
        stream: The stream of the full tensor: the same for all its shards.
        dtype: As for `apply`.
        shape: Of the full tensor.
        offset: Where the block begins, per axis.
        journal: Called with the `ShardUndo` before anything changes, as `apply` calls its.

    Raises:
        UnsupportedError: If `values` does not hold that dtype.
        SettingError: If the block is not contiguous or not inside the shape.

    Example:
        >>> change, stream = Change(combine="add"), Stream(key=1, tweak=2)
        >>> whole, part = np.zeros((4, 6), np.float32), np.zeros((2, 3), np.float32)
        >>> apply(whole.reshape(-1), change, stream, dtype="float32")
        >>> apply_shard(part, change, stream, dtype="float32", shape=(4, 6), offset=(1, 2))
        >>> bool((part == whole[1:3, 2:5]).all())
        True
    """
    if not values.flags.c_contiguous:
        raise SettingError(f"a shard must be contiguous, got strides {values.strides}")
    flat, size = values.reshape(-1), prod(shape)
    stretches = list(runs(shape, offset, values.shape))
    undo = ShardUndo(values.shape)
    if journal is not None:
        journal(undo)
    for place, start in stretches:
        note = None if journal is None else _noting(undo, place)
        apply(flat[place], change, stream, dtype=dtype, start=start, size=size, journal=note)


def _noting(undo: ShardUndo, place: slice) -> Journal:
    return lambda run: undo.runs.append((place, run))
