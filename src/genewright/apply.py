"""The one core that changes tensors: it applies edits to a store, and can bring every byte back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright import bfloat16, noise
from genewright.edit import Array, Edit, Perturb, Reindex, Write
from genewright.errors import UnsupportedError
from genewright.network import FLOATS, Network, Tensor


class Store(ABC):
    """What a backend gives the core: the elements of a tensor, to be changed in place."""

    @abstractmethod
    def elements(self, name: str) -> AbstractContextManager[NDArray[Any]]:
        """Give the elements as a 1-D writable array in row-major logical order; on leaving, they are in the model.

        bfloat16 comes as uint16 bit patterns. A contiguous tensor in main memory is given without a copy.
        """


class Journal:
    """What brings back the bytes that were there before: it grows while edits are applied."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def add(self, undo: Callable[[], None]) -> None:
        """Remember how to take back one change."""
        self._undo.append(undo)

    def restore(self) -> None:
        """Take back all changes, the last one first."""
        while self._undo:
            self._undo.pop()()


def check(edits: Iterable[Edit], network: Network) -> None:
    """Refuse edits that cannot be applied, before the first is.

    Raises:
        UnsupportedError: A tensor's dtype cannot be changed so; it is named.
        UnknownNameError: An edit names no tensor.
    """
    for edit in edits:
        tensor = network.tensor(edit.tensor)
        if isinstance(edit, Reindex) and edit.factor is None:
            continue
        if tensor.dtype not in FLOATS:
            raise UnsupportedError(
                f"{tensor.name!r} has dtype {tensor.dtype}; operators change {', '.join(FLOATS)}. "
                f'Leave it out: where=("*", "!{tensor.name}").'
            )


def apply(edits: Iterable[Edit], network: Network, store: Store, journal: Journal | None = None) -> None:
    """Apply edits, in order.

    Args:
        edits: Edits that `check` let pass.
        network: The view of the same model.
        store: Where the tensors are.
        journal: Where to note how to take the changes back; None saves that memory.
    """
    for edit in edits:
        tensor = network.tensor(edit.tensor)
        with store.elements(tensor.name) as values:
            match edit:
                case Perturb():
                    undos = _perturb(values, edit, tensor, keep=journal is not None)
                case Write():
                    undos = _overwrite(values, _written(values, edit, tensor), keep=journal is not None)
                case Reindex():
                    undos = _overwrite(values, _gathered(values, edit, tensor), keep=journal is not None)
        if journal is not None:
            journal.add(_restorer(store, tensor.name, undos))


def _restorer(store: Store, name: str, undos: list[Callable[[NDArray[Any]], None]]) -> Callable[[], None]:
    def restore() -> None:
        with store.elements(name) as values:
            for undo in reversed(undos):
                undo(values)

    return restore


def _perturb(
    values: NDArray[Any], edit: Perturb, tensor: Tensor, *, keep: bool
) -> list[Callable[[NDArray[Any]], None]]:
    """Draw and apply; units that may not change are left out."""
    undos: list[Callable[[NDArray[Any]], None]] = []
    for start, stop in _runs(edit, tensor):
        undo = noise.apply(
            values[start:stop],
            edit.change,
            edit.stream,
            dtype=tensor.dtype,
            start=start,
            size=tensor.size,
            journal=keep,
        )
        if undo is not None:
            undos.append(_on_part(undo.restore, start, stop))
    return undos


def _on_part(restore: Callable[[NDArray[Any]], None], start: int, stop: int) -> Callable[[NDArray[Any]], None]:
    return lambda values: restore(values[start:stop])


def _runs(edit: Perturb, tensor: Tensor) -> list[tuple[int, int]]:
    """Return the half-open ranges of row-major elements that belong to the chosen units."""
    if edit.units is None or not tensor.shape:
        return [(0, tensor.size)]
    inner = int(np.prod(tensor.shape[edit.axis + 1 :], dtype=np.int64))
    outer = int(np.prod(tensor.shape[: edit.axis], dtype=np.int64))
    width = tensor.shape[edit.axis] * inner
    runs: list[tuple[int, int]] = []
    for _, group in groupby(enumerate(edit.units), key=lambda pair: pair[1] - pair[0]):
        units = [unit for _, unit in group]
        runs.append((units[0] * inner, (units[-1] + 1) * inner))
    return [(block * width + start, block * width + stop) for block in range(outer) for start, stop in runs]


def _overwrite(values: NDArray[Any], new: NDArray[Any], *, keep: bool) -> list[Callable[[NDArray[Any]], None]]:
    old = values.copy() if keep else None
    values[:] = new
    if old is None:
        return []

    def restore(values: NDArray[Any]) -> None:
        values[:] = old

    return [restore]


def _written(values: NDArray[Any], edit: Write, tensor: Tensor) -> NDArray[Any]:
    old = _decoded(values, tensor).reshape(tensor.shape)
    if callable(edit.values):
        view = old.view()
        view.flags.writeable = False
        part = np.asarray(edit.values(view))
    else:
        part = np.asarray(edit.values)
    if not edit.index:
        new = np.broadcast_to(part, tensor.shape)
    else:
        new = old.copy()
        new[edit.index] = part
    return _encoded(new, tensor).reshape(-1)


def _gathered(values: NDArray[Any], edit: Reindex, tensor: Tensor) -> NDArray[Any]:
    shaped = values.reshape(tensor.shape)
    index = np.asarray(edit.index, np.int64)
    if edit.factor is None:
        return np.take(shaped, index, axis=edit.axis).reshape(-1)
    gathered: NDArray[Any] = np.take(_decoded(values, tensor).reshape(tensor.shape), index, axis=edit.axis)
    shape = [1] * len(tensor.shape)
    shape[edit.axis] = len(index)
    factor = np.asarray(edit.factor, gathered.dtype).reshape(shape)
    return _encoded(np.multiply(gathered, factor), tensor).reshape(-1)


def _decoded(values: NDArray[Any], tensor: Tensor) -> Array:
    """Return stored elements as numbers: the half types as float32, which holds them exactly."""
    if tensor.dtype == "bfloat16":
        return cast(Array, bfloat16.to_float32(values))
    return values.astype(np.float32) if tensor.dtype == "float16" else values


def _encoded(numbers: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Return numbers as stored elements, rounded once."""
    if tensor.dtype == "bfloat16":
        return bfloat16.from_float32(numbers.astype(np.float32))
    with np.errstate(over="ignore"):
        return numbers.astype(np.dtype(tensor.dtype))
