"""Store: what a backend gives for writing, the tensors and layers of one model; Memory: the elements of one tensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import UnsupportedError
from genewright.part import Part
from genewright.tensor import Tensor

if TYPE_CHECKING:
    from genewright.edits.edit import Edit
    from genewright.journal import Journal
    from genewright.noise import Change, Stream, WeightedSum

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


def keep_bytes(memory: Memory, journal: Journal) -> None:
    """Note all bytes of a tensor, whatever will change them."""
    journal.add(memory.snapshot())
