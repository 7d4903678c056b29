"""Site: where edits are applied. It notes the old bytes before they change, and asks the backend for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright import noise as gw_noise
from genewright.edits.store import Array, Memory, Store
from genewright.elements import decoded, encoded
from genewright.part import Part, grid, pieces
from genewright.seeding import Noise
from genewright.tensor import COMPLEX, FLOATS, Tensor

if TYPE_CHECKING:
    from genewright.journal import Journal
    from genewright.noise import Change, Stream, Undo, WeightedSum


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
