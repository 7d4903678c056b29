"""Site: where edits are applied. It notes the old bytes before they change, and asks the backend for the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
from numpy.typing import NDArray

from genewright import noise as gw_noise
from genewright.elements import decoded, encoded
from genewright.errors import UnsupportedError
from genewright.part import Part, grid, pieces
from genewright.seeding import Noise
from genewright.tensor import COMPLEX, FLOATS, Tensor

if TYPE_CHECKING:
    from genewright.edits.edit import Edit
    from genewright.journal import Journal
    from genewright.noise import Change, Stream, Undo, WeightedSum

Array = Any  # a NumPy array, or the framework's own on a device: what both know is used of it


class Memory(ABC):
    """The elements of one tensor, where they lie now: later changes of the model's layers do not move it.

    Attributes:
        tensor: What is known of the tensor.
    """

    tensor: Tensor

    @abstractmethod
    def open(self) -> AbstractContextManager[NDArray[Any]]:
        """Give the elements as a 1-D writable array in row-major order; on leaving, they are in the tensor.

        bfloat16 comes as uint16 bit patterns. A contiguous tensor in main memory is given without a copy.
        """

    def on_device(self) -> Array | None:
        """Return the elements, in their shape, as an array of the framework that is written where it lies.

        None where they are best changed in main memory. A half type comes as such.
        """
        return None

    def snapshot(self) -> Callable[[], None]:
        """Copy the elements where they lie; return what puts them back, whatever has changed them, again and again."""
        held = self.on_device()
        if held is not None:
            old = held.clone()
            return lambda: held.copy_(old)
        with self.open() as values:
            kept = values.copy()

        def put_back() -> None:
            with self.open() as now:
                now[:] = kept

        return put_back

    def perturb(
        self,
        change: Change | WeightedSum,
        stream: Stream,
        part: Part,
        journal: Callable[[Callable[[], None]], None] | None,
    ) -> bool:
        """Draw and apply noise where the tensor lies, with the bits that `noise.apply` gives.

        Args:
            change: What is drawn and how it combines.
            stream: The random words.
            part: The elements that may change.
            journal: Receives what takes it back, before a byte changes.

        Returns:
            False where that is not possible, and nothing has changed: the core does it in main memory.
        """
        return False

    def perturb_at(
        self,
        change: Change,
        stream: Stream,
        elements: NDArray[np.int64],
        journal: Callable[[Callable[[], None]], None] | None,
    ) -> bool:
        """Change some elements, by their places in row-major order, with the bits that `noise.apply_at` gives.

        Returns:
            False where that takes all elements in main memory, and nothing has changed: the core does it.
        """
        return False


class Store(ABC):
    """What a backend gives the core for writing: the tensors and layers of one model.

    Attributes:
        journal: Notes containers and tensors before layers or shapes change; None where nothing will be taken back.
        limit: The most bytes that a new layer may have; None for any.
    """

    journal: Journal | None = None
    limit: int | None = None

    @final
    def tensor(self, name: str) -> Tensor:
        """Return what is known of a tensor as it is now, by any of its names.

        Raises:
            UnknownNameError: There is none.
        """
        return self.memory(name).tensor

    @abstractmethod
    def memory(self, name: str) -> Memory:
        """Return where the elements of a tensor lie, by any of its names.

        Raises:
            UnknownNameError: There is none.
        """

    def resize(self, name: str, axis: int, index: NDArray[np.int64]) -> None:
        """Give a tensor another length along an axis; it stays the same object, ties included.

        new[i] = old[index[i]], bit for bit, and zero where index[i] is -1. What belongs to the tensor elsewhere (an
        optimizer's state) moves alike.
        """
        raise UnsupportedError(f"{name!r}: the shapes of this kind of model cannot change.")

    def restructure(self, edit: Edit) -> None:
        """Change layers, wiring or attributes.

        Raises:
            GenewrightError: It cannot be done here; the reason is named.
        """
        raise UnsupportedError(
            f"{type(edit).__name__}: a checkpoint has tensors but no layers. Give the model: a module, or on the "
            "command line package.module:factory with --weights."
        )

    def forget(self, name: str, part: Part) -> None:  # noqa: B027  # most models are not in training
        """Let what optimizers hold of a part of a tensor start again; nothing happens where there is none."""

    @abstractmethod
    def finish(self) -> Any:
        """Carry out what had to wait for the last edit of a step, and return the model as it is now.

        Returns:
            The model itself; of a framework whose models cannot change, another one.

        Raises:
            GenewrightError: The edits do not fit together.
        """


class Site:
    """A store, the noise of the step, and where old bytes are noted.

    Attributes:
        store: The tensors and layers.
        noise: The noise of the step that proposed the edits.
        journal: Where to note how to take changes back; None saves that memory.
        donors: Stores of the networks that weights may come from.
    """

    def __init__(self, store: Store, noise: Noise, journal: Journal | None = None, donors: Sequence[Any] = ()) -> None:
        self.store = store
        self.noise = noise
        self.journal = journal
        self.donors = donors

    def rewrite(self, name: str, part: Part, new: Callable[[Array], Array], *, numbers: bool = True) -> None:
        """Replace a part of a tensor by a function of it.

        Args:
            name: The tensor's name.
            part: The elements.
            new: Takes the part's elements as an array of its own, which it may write into, and returns the new ones.
            numbers: They are handed over as numbers (half types as float32) and rounded once; otherwise as they are
                stored, to be moved bit for bit.
        """
        memory = self.store.memory(name)
        tensor = memory.tensor
        place = grid(part, tensor.shape)
        held = memory.on_device()
        if held is not None:
            self._rewrite_on_device(held, place, new, numbers=numbers)
            return
        with memory.open() as values:
            shaped = values.reshape(tensor.shape)
            old = np.array(shaped[place])
            if self.journal is not None:
                self.journal.add(_put_back(memory, place, old))
            given = decoded(old, tensor.dtype) if numbers else old
            kept = given is old and self.journal is not None
            made = np.asarray(new(given.copy() if kept else given))
            shaped[place] = encoded(made, tensor.dtype) if numbers else made

    def _rewrite_on_device(
        self, held: Array, place: tuple[Any, ...], new: Callable[[Array], Array], *, numbers: bool
    ) -> None:
        place = tuple(np.array(cast(Any, each)) if isinstance(each, np.ndarray) else each for each in place)
        old = held[place].clone()
        if self.journal is not None:

            def restore() -> None:
                held[place] = old

            self.journal.add(restore)
        half = numbers and str(held.dtype).endswith(("float16", "bfloat16"))
        made = new(old.float() if half else old.clone())
        held[place] = made.to(held.dtype)

    def perturb(self, name: str, change: Change | WeightedSum, stream: Stream, part: Part) -> None:
        """Draw noise and combine it with the elements of a part; what is outside it stays as it is."""
        memory = self.store.memory(name)
        add = None if self.journal is None else self.journal.add
        if memory.perturb(change, stream, part, add):
            return
        tensor = memory.tensor if memory.tensor.dtype in FLOATS else _in_parts(memory.tensor)
        if tensor is not memory.tensor and part:
            part = (*part, *(None,) * (len(tensor.shape) - len(part)))
        with memory.open() as opened:
            values = opened if tensor is memory.tensor else _numbers(opened)
            if not part:
                note = None if add is None else _noted(add, memory)
                gw_noise.apply(values, change, stream, dtype=tensor.dtype, journal=note)
                return
            for start, stop, inside in pieces(part, tensor.shape):
                place = values[start:stop]
                old = None if inside is None else (place.copy(), ~inside)
                note = None if add is None else _noted(add, memory, start, stop)
                gw_noise.apply(place, change, stream, dtype=tensor.dtype, start=start, size=tensor.size, journal=note)
                if old is not None:
                    np.copyto(place, old[0], where=old[1])

    def perturb_at(self, name: str, change: Change, stream: Stream, elements: NDArray[np.int64]) -> None:
        """Draw noise and combine it with some elements, by their places in row-major order."""
        memory = self.store.memory(name)
        add = None if self.journal is None else self.journal.add
        if memory.perturb_at(change, stream, elements, add):
            return
        with memory.open() as opened:
            note = None if add is None else _noted(add, memory)
            dtype = _in_parts(memory.tensor).dtype
            gw_noise.apply_at(_numbers(opened), elements, change, stream, dtype=dtype, journal=note)

    def gather(self, name: str, axis: int, index: NDArray[np.int64]) -> None:
        """Let new[i] be old[index[i]] along an axis, bit for bit, and zero where index[i] is -1."""
        tensor = self.store.tensor(name)
        if len(index) != tensor.shape[axis]:
            self.store.resize(name, axis, index)
        elif (index != np.arange(len(index))).any():
            self.rewrite(name, (), lambda old: _moved(old, axis, index), numbers=False)

    def taken(self, of: int, name: str, part: Part) -> tuple[NDArray[Any], str]:
        """Return a copy of the stored elements of a part, and their dtype: of this network, or of a donor from 1 on."""
        store = self.store if of == 0 else self.donors[of - 1]
        memory: Memory = store.memory(name)
        with memory.open() as values:
            return np.array(values.reshape(memory.tensor.shape)[grid(part, memory.tensor.shape)]), memory.tensor.dtype

    def numbers(self, name: str, part: Part, *, stored: bool) -> tuple[NDArray[Any], str]:
        """Return a copy of a part's elements as numbers (or as they are `stored`), and the name of their dtype."""
        old, dtype = self.taken(0, name, part)
        given = old if stored else decoded(old, dtype)
        return given, str(given.dtype)

    def write(self, name: str, part: Part, stored: NDArray[Any]) -> None:
        """Replace a part of a tensor by elements in their stored form."""
        memory = self.store.memory(name)
        place = grid(part, memory.tensor.shape)
        with memory.open() as values:
            shaped = values.reshape(memory.tensor.shape)
            if self.journal is not None:
                self.journal.add(_put_back(memory, place, np.array(shaped[place])))
            shaped[place] = stored


def keep_bytes(memory: Memory, journal: Journal) -> None:
    """Note all bytes of a tensor, whatever will change them."""
    journal.add(memory.snapshot())


def _moved(old: Array, axis: int, index: NDArray[np.int64]) -> Array:
    new = old[(slice(None),) * axis + (np.array(index),)]  # a copy: torch warns of arrays that it may not write
    new[(slice(None),) * axis + (np.flatnonzero(index < 0),)] = 0
    return new


def _put_back(memory: Memory, place: tuple[Any, ...], old: NDArray[Any]) -> Callable[[], None]:
    def restore() -> None:
        with memory.open() as values:
            values.reshape(memory.tensor.shape)[place] = old

    return restore


def _in_parts(tensor: Tensor) -> Tensor:
    """Return a complex tensor as one of real numbers, with an axis more; any other as it is."""
    if tensor.dtype not in COMPLEX:
        return tensor
    return replace(tensor, dtype=COMPLEX[tensor.dtype], shape=(*tensor.shape, 2))


def _numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Return elements as real numbers, in the same memory: a complex one is two."""
    return values.view(COMPLEX[str(values.dtype)]) if values.dtype.kind == "c" else values


def _noted(
    add: Callable[[Callable[[], None]], None], memory: Memory, start: int = 0, stop: int | None = None
) -> Callable[[Undo], None]:
    """Return what adds the undo of a stretch to a journal; without a stop, of the whole tensor."""
    whole = stop is None and memory.tensor.dtype not in COMPLEX

    def note(undo: Undo) -> None:
        def restore() -> None:
            with memory.open() as values:
                undo.restore(values if whole else _numbers(values)[start:stop])

        add(restore)

    return note
