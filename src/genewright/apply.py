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
from genewright.edit import Array, Edit, Perturb, Reindex, Structural, Values, Write, structural
from genewright.errors import SettingError, UnknownNameError, UnsupportedError
from genewright.network import FLOATS, Network, Tensor

Undo = Callable[[], None]


class Store(ABC):
    """What a backend gives the core: the tensors and layers of a model, to be changed in place."""

    @abstractmethod
    def tensor(self, name: str) -> Tensor:
        """Return what is known of a tensor as it is now, by any of its names.

        Raises:
            UnknownNameError: There is none.
        """

    @abstractmethod
    def elements(self, name: str) -> AbstractContextManager[NDArray[Any]]:
        """Give the elements as a 1-D writable array in row-major logical order; on leaving, they are in the model.

        bfloat16 comes as uint16 bit patterns. A contiguous tensor in main memory is given without a copy.
        """

    def replace(self, name: str, values: NDArray[Any], moved: Reindex) -> Undo:
        """Give a tensor another shape; it stays the same object, ties included.

        Args:
            name: The tensor's name.
            values: The new elements, in the new shape; bfloat16 as uint16 bit patterns.
            moved: Where they came from, for what goes along with the tensor (an optimizer's state).

        Returns:
            What takes it back.
        """
        raise UnsupportedError(f"{name!r}: the shapes of this kind of model cannot change.")

    def restructure(self, edit: Structural) -> Undo:
        """Change layers, wiring or attributes; all or nothing.

        Returns:
            What takes it back.

        Raises:
            GenewrightError: It cannot be done here; the reason is named, and nothing has been changed.
        """
        raise UnsupportedError(
            f"{type(edit).__name__}: a checkpoint has tensors but no layers. Give the model: a module, or on the "
            "command line package.module:factory with --weights."
        )


class Companion:
    """What goes along with a model while it is mutated, such as an optimizer's state; this one is nothing."""

    def finish(self) -> Undo:
        """Take in new tensors and let go of those that are gone, after the last edit; return what takes it back."""
        return _nothing


class Journal:
    """What brings back the bytes that were there before: it grows while edits are applied."""

    def __init__(self) -> None:
        self._undo: list[Undo] = []

    def add(self, undo: Undo) -> None:
        """Remember how to take back one change."""
        self._undo.append(undo)

    def restore(self) -> None:
        """Take back all changes, the last one first."""
        while self._undo:
            self._undo.pop()()


def check(edits: Iterable[Edit], network: Network) -> None:
    """Refuse edits that cannot be applied, before the first is.

    After a structural edit there may be tensors that `network` does not have yet; `apply` refuses those that are
    not there when their turn comes.

    Raises:
        UnsupportedError: A tensor's dtype cannot be changed so; it is named.
        UnknownNameError: An edit names no tensor.
    """
    restructured = False
    for edit in edits:
        if not isinstance(edit, Values):
            restructured = True
            continue
        try:
            tensor = network.tensor(edit.tensor)
        except UnknownNameError:
            if restructured:
                continue
            raise
        _refuse(edit, tensor)


def needs_journal(edits: Iterable[Edit], network: Network) -> bool:
    """Whether applying can fail after the first edit: layers or shapes change."""
    edits = tuple(edits)
    return bool(structural(edits)) or any(
        isinstance(edit, Reindex) and _resizes(edit, network.tensor(edit.tensor)) for edit in edits
    )


def apply(edits: Iterable[Edit], store: Store, journal: Journal | None = None) -> None:
    """Apply edits, in order.

    Args:
        edits: Edits that `check` let pass.
        store: Where the tensors and layers are.
        journal: Where to note how to take the changes back; None saves that memory.
    """
    for edit in edits:
        undo = _applied(edit, store, keep=journal is not None)
        if journal is not None:
            journal.add(undo)


def _applied(edit: Edit, store: Store, *, keep: bool) -> Undo:
    if not isinstance(edit, Values):
        return store.restructure(edit)
    tensor = store.tensor(edit.tensor)
    _refuse(edit, tensor)
    if isinstance(edit, Reindex) and _resizes(edit, tensor):
        with store.elements(tensor.name) as values:
            gathered = _gathered(values, edit, tensor)
        return store.replace(tensor.name, gathered, edit)
    with store.elements(tensor.name) as values:
        match edit:
            case Perturb():
                undos = _perturb(values, edit, tensor, keep=keep)
            case Write():
                undos = _overwrite(values, _written(values, edit, tensor), keep=keep)
            case Reindex():
                undos = _overwrite(values, _gathered(values, edit, tensor).reshape(-1), keep=keep)
    return _restorer(store, tensor.name, undos)


def _nothing() -> None:
    """Take back nothing."""


def _resizes(edit: Reindex, tensor: Tensor) -> bool:
    return len(edit.index) != tensor.shape[edit.axis]


def _refuse(edit: Values, tensor: Tensor) -> None:
    if isinstance(edit, Reindex) and not all(-1 <= i < tensor.shape[edit.axis] for i in edit.index):
        raise SettingError(
            f"Reindex: {tensor.name!r} has {tensor.shape[edit.axis]} positions along axis {edit.axis}; the index holds "
            "what is neither one of them nor -1 (a new entry)."
        )
    if isinstance(edit, Reindex) and edit.factor is None:
        return
    if tensor.dtype not in FLOATS:
        raise UnsupportedError(
            f"{tensor.name!r} has dtype {tensor.dtype}; operators change {', '.join(FLOATS)}. "
            f'Leave it out: where=("*", "!{tensor.name}").'
        )


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
    """Return the stored elements in their new shape; a position of -1 becomes zero."""
    shaped = values.reshape(tensor.shape)
    index = np.asarray(edit.index, np.int64)
    if edit.factor is None:
        return _zeroed(np.take(shaped, index, axis=edit.axis, mode="clip"), index, edit.axis)
    gathered = np.take(_decoded(values, tensor).reshape(tensor.shape), index, axis=edit.axis, mode="clip")
    shape = [1] * len(tensor.shape)
    shape[edit.axis] = len(index)
    factor = np.asarray(edit.factor, gathered.dtype).reshape(shape)
    return _encoded(_zeroed(gathered * factor, index, edit.axis), tensor)


def _zeroed(gathered: NDArray[Any], index: NDArray[np.int64], axis: int) -> NDArray[Any]:
    gathered[(slice(None),) * axis + (index < 0,)] = 0
    return gathered


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
