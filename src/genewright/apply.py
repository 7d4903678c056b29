"""The one core that changes tensors: it applies edits to a store, and can bring every byte back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright import noise
from genewright.edit import Copy, Edit, Perturb, Reindex, Structural, Values, Write, structural
from genewright.elements import decoded, encoded
from genewright.errors import EditError, SettingError, UnknownNameError, UnsupportedError
from genewright.network import FLOATS, Network, Tensor
from genewright.part import fits, grid, part_shape, pieces

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

    def perturb(self, edit: Perturb, *, journal: Callable[[Undo], object] | None) -> bool:
        """Draw and apply an edit where the tensor lies, with the bits that `noise.apply` gives.

        Args:
            edit: The edit.
            journal: Called, before anything changes, with what takes a change back (one for each stretch of it).

        Returns:
            Whether it is done; the store may leave it to the core, which does it in main memory.
        """
        return False

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

    def finish(self) -> Undo:
        """Carry out what had to wait for the last edit of a step; return what takes it back.

        Raises:
            GenewrightError: The edits do not fit together; nothing that waited has been changed.
        """
        return _nothing


class Companion:
    """What goes along with a model while it is mutated, such as an optimizer's state; this one is nothing.

    Attributes:
        twins: Models with the same tensors, such as an average, that get the same edits where layers or shapes change.
    """

    twins: tuple[Any, ...] = ()

    def foreseen(self, names: Sequence[str]) -> list[str]:
        """Say what of the state of tensors that change their shapes cannot move."""
        return []

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

    Edits of a tensor that an earlier one reshapes, or that a structural edit may have made, are checked when their
    turn comes.

    Raises:
        UnsupportedError: A tensor's dtype cannot be changed so; it is named.
        SettingError: A strength is beyond the tensor's number format.
        UnknownNameError: An edit names no tensor.
        EditError: An edit does not fit its tensor: a fault of the operator.
    """
    restructured = False
    resized: set[str] = set()
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
        if restructured or tensor.name in resized:
            continue
        _refuse(edit, tensor)
        if isinstance(edit, Copy):
            _check_copy(edit, tensor, network.tensor(edit.source))
        if isinstance(edit, Reindex) and _resizes(edit, tensor):
            resized.add(tensor.name)


def can_fail_late(edits: Iterable[Edit], network: Network) -> bool:
    """Whether applying can fail after the first edit: layers or shapes change, or an operator's own function runs."""
    edits = tuple(edits)
    return changes_form(edits, network) or any(isinstance(e, Write) and callable(e.values) for e in edits[1:])


def changes_form(edits: Iterable[Edit], network: Network) -> bool:
    """Whether layers, wiring or shapes change."""
    edits = tuple(edits)
    return bool(structural(edits)) or any(
        isinstance(edit, Reindex) and _resizes(edit, network.tensor(edit.tensor)) for edit in edits
    )


def _refuse(edit: Values, tensor: Tensor) -> None:
    _check_fit(edit, tensor)
    moves = isinstance(edit, Copy) or (
        edit.stored if isinstance(edit, Write) else isinstance(edit, Reindex) and edit.factor is None
    )
    if not moves and tensor.dtype not in FLOATS:
        raise UnsupportedError(
            f"{tensor.name!r} has dtype {tensor.dtype}; operators change {', '.join(FLOATS)}. "
            f'Leave it out: where=("*", "!{tensor.name}").'
        )
    if isinstance(edit, Perturb):
        _check_scale(edit, tensor)


def _check_scale(edit: Perturb, tensor: Tensor) -> None:
    computing = "float64" if tensor.dtype == "float64" else "float32"
    if abs(edit.change.scale) > float(np.finfo(computing).max):
        raise SettingError(
            f"A strength of {edit.change.scale:g} is infinite in {computing}, in which {tensor.name!r} of dtype "
            f"{tensor.dtype} is computed. Take a smaller one."
        )


def _check_fit(edit: Values, tensor: Tensor) -> None:
    match edit:
        case Perturb(part=part) | Copy(part=part):
            fault = "" if fits(part, tensor.shape) else f"its part {part} does not exist"
        case Write(part=part, values=values):
            fault = "" if fits(part, tensor.shape) else f"its part {part} does not exist"
            if not fault and not callable(values) and np.shape(values) != (shape := part_shape(part, tensor.shape)):
                fault = f"its values have shape {np.shape(values)}, the part has {shape}"
        case Reindex(axis=axis, index=index, factor=factor):
            size = tensor.shape[axis] if 0 <= axis < len(tensor.shape) else -1
            fault = ""
            if size < 0:
                fault = f"there is no axis {axis}"
            elif (not index and size) or not all(-1 <= i < size for i in index):
                fault = f"axis {axis} has {size} positions, and its index is {index} (-1 is a new entry)"
            elif factor is not None and len(factor) != len(index):
                fault = f"its index has {len(index)} entries, and there are {len(factor)} factors"
    if fault:
        raise EditError(f"{type(edit).__name__} of {tensor.name!r} of shape {tensor.shape}: {fault}.")


def _check_copy(edit: Copy, tensor: Tensor, source: Tensor) -> None:
    """Refuse a copy between parts of different shapes, or from a part that does not exist."""
    given, taken = part_shape(edit.part, tensor.shape), part_shape(edit.source_part, source.shape)
    if not fits(edit.source_part, source.shape) or given != taken:
        raise EditError(
            f"Copy of {source.name!r} of shape {source.shape} into {tensor.name!r} of shape {tensor.shape}: the part "
            f"that is read has shape {taken}, the part that is written {given}."
        )
    if tensor.dtype != source.dtype and not {tensor.dtype, source.dtype} <= set(FLOATS):
        raise UnsupportedError(
            f"{source.name!r} of dtype {source.dtype} cannot be copied into {tensor.name!r} of dtype {tensor.dtype}."
        )


def apply(edits: Iterable[Edit], store: Store, journal: Journal | None = None) -> None:
    """Apply edits, in order.

    Args:
        edits: Edits that `check` let pass.
        store: Where the tensors and layers are.
        journal: Where to note how to take the changes back; None saves that memory.
    """
    for edit in edits:
        undo = apply_one(edit, store, keep=journal is not None)
        if journal is not None:
            journal.add(undo)
    undo = store.finish()
    if journal is not None:
        journal.add(undo)


def apply_one(edit: Edit, store: Store, *, keep: bool = False) -> Undo:
    """Apply one edit of a step; when the last one is applied, `Store.finish` is to be called.

    Args:
        edit: An edit.
        store: Where the tensors and layers are.
        keep: Keep the old values for the undo.
    """
    if not isinstance(edit, Values):
        return store.restructure(edit)
    tensor = store.tensor(edit.tensor)
    _refuse(edit, tensor)
    if isinstance(edit, Copy):
        return _copied(edit, tensor, store, keep=keep)
    if isinstance(edit, Reindex) and _resizes(edit, tensor):
        with store.elements(tensor.name) as values:
            gathered = _gathered(values, edit, tensor)
        return store.replace(tensor.name, gathered, edit)
    kept = Journal()
    if isinstance(edit, Perturb) and store.perturb(edit, journal=kept.add if keep else None):
        return kept.restore
    with store.elements(tensor.name) as values:
        match edit:
            case Perturb():
                undos = _perturb(values, edit, tensor, keep=keep)
            case Write():
                place = grid(edit.part, tensor.shape)
                undos = _overwrite(values, _written(values, edit, tensor), place, tensor, keep=keep)
            case Reindex():
                undos = _overwrite(values, _gathered(values, edit, tensor), (...,), tensor, keep=keep)
    return _restorer(store, tensor.name, undos)


def _copied(edit: Copy, tensor: Tensor, store: Store, *, keep: bool) -> Undo:
    source = store.tensor(edit.source)
    _check_copy(edit, tensor, source)
    with store.elements(source.name) as held:
        taken = np.array(held.reshape(source.shape)[grid(edit.source_part, source.shape)])
    if source.dtype != tensor.dtype:
        taken = encoded(decoded(taken, source.dtype), tensor.dtype)
    with store.elements(tensor.name) as values:
        undos = _overwrite(values, taken, grid(edit.part, tensor.shape), tensor, keep=keep)
    return _restorer(store, tensor.name, undos)


def _nothing() -> None:
    """Take back nothing."""


def _resizes(edit: Reindex, tensor: Tensor) -> bool:
    return len(edit.index) != tensor.shape[edit.axis]


def remember(network: Network, store: Store, journal: Journal) -> None:
    """Note the bytes of running statistics and other buffers, which a forward pass may change by itself."""
    for tensor in network.tensors.values():
        if tensor.role in ("statistic", "buffer") and _is_plain(tensor.dtype):
            with store.elements(tensor.name) as values:
                old = values.copy()
            journal.add(_restorer(store, tensor.name, [_put_back(old)]))


def _is_plain(dtype: str) -> bool:
    """Whether NumPy can hold the elements (bfloat16 as bit patterns)."""
    return dtype in (*FLOATS, "bool") or dtype.startswith(("int", "uint", "complex"))


def _put_back(old: NDArray[Any]) -> Callable[[NDArray[Any]], None]:
    def restore(values: NDArray[Any]) -> None:
        values[:] = old

    return restore


def _restorer(store: Store, name: str, undos: list[Callable[[NDArray[Any]], None]]) -> Callable[[], None]:
    def restore() -> None:
        with store.elements(name) as values:
            for undo in reversed(undos):
                undo(values)

    return restore


def _perturb(
    values: NDArray[Any], edit: Perturb, tensor: Tensor, *, keep: bool
) -> list[Callable[[NDArray[Any]], None]]:
    """Draw and apply; what is outside the edit's part stays as it is."""
    undos: list[Callable[[NDArray[Any]], None]] = []
    for start, stop, inside in pieces(edit.part, tensor.shape):
        place = values[start:stop]
        old = None if inside is None else (place.copy(), ~inside)
        journal = _on_range(undos, start, stop) if keep else None
        noise.apply(place, edit.change, edit.stream, dtype=tensor.dtype, start=start, size=tensor.size, journal=journal)
        if old is not None:
            np.copyto(place, old[0], where=old[1])
    return undos


def _on_range(undos: list[Callable[[NDArray[Any]], None]], start: int, stop: int) -> Callable[[noise.Undo], None]:
    return lambda undo: undos.append(lambda values: undo.restore(values[start:stop]))


def _overwrite(
    values: NDArray[Any], new: NDArray[Any], place: tuple[Any, ...], tensor: Tensor, *, keep: bool
) -> list[Callable[[NDArray[Any]], None]]:
    shaped = values.reshape(tensor.shape)
    old = shaped[place].copy() if keep else None
    shaped[place] = new
    if old is None:
        return []

    def restore(values: NDArray[Any]) -> None:
        values.reshape(tensor.shape)[place] = old

    return [restore]


def _written(values: NDArray[Any], edit: Write, tensor: Tensor) -> NDArray[Any]:
    old = values.reshape(tensor.shape)[grid(edit.part, tensor.shape)]
    if not callable(edit.values):
        return encoded(np.asarray(edit.values), tensor.dtype)
    view = (old if edit.stored else decoded(old, tensor.dtype)).view()
    view.flags.writeable = False
    new = np.asarray(edit.values(view))
    if new.shape != old.shape or (edit.stored and new.dtype != old.dtype):
        raise EditError(
            f"Write of {tensor.name!r}: its function returned shape {new.shape} and dtype {new.dtype} "
            f"for shape {old.shape} and dtype {view.dtype}."
        )
    return new if edit.stored else encoded(new, tensor.dtype)


def _gathered(values: NDArray[Any], edit: Reindex, tensor: Tensor) -> NDArray[Any]:
    """Return the stored elements in their new shape; a position of -1 becomes zero."""
    shaped = values.reshape(tensor.shape)
    index = np.asarray(edit.index, np.int64)
    if edit.factor is None:
        return _zeroed(np.take(shaped, index, axis=edit.axis, mode="clip"), index, edit.axis)
    numbers = decoded(values, tensor.dtype).reshape(tensor.shape)
    gathered: NDArray[Any] = np.take(numbers, index, axis=edit.axis, mode="clip")
    shape = [1] * len(tensor.shape)
    shape[edit.axis] = len(index)
    factor = np.asarray(edit.factor, gathered.dtype).reshape(shape)
    return encoded(_zeroed(np.multiply(gathered, factor), index, edit.axis), tensor.dtype)


def _zeroed(gathered: NDArray[Any], index: NDArray[np.int64], axis: int) -> NDArray[Any]:
    gathered[(slice(None),) * axis + (index < 0,)] = 0
    return gathered
