"""The elements of a torch tensor as a NumPy array, wherever and however they lie in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from numpy.typing import NDArray

Elements = AbstractContextManager[NDArray[Any]]

_increment_version = torch.autograd.graph.increment_version


def elements_of(tensor: torch.Tensor) -> Elements:
    """Give a tensor's elements as a writable 1-D array in row-major order; on leaving, they are in the tensor.

    A contiguous tensor in main memory is handed out as it is; any other (channels_last, transposed, on a GPU) as a
    copy that is written back into the same memory. bfloat16 comes as uint16 bit patterns.
    """
    held = tensor.detach() if tensor.requires_grad else tensor
    return InPlace(held) if lies_in_order(held) else _Copied(held)


def in_main_memory(tensor: torch.Tensor) -> NDArray[Any] | None:
    """Return the elements where they lie, as a 1-D array in row-major order; None where that takes a copy."""
    return _as_numpy(tensor).reshape(-1) if lies_in_order(tensor) else None


def lies_in_order(tensor: torch.Tensor) -> bool:
    """Whether the elements lie in main memory, one after the other in row-major order, as they are."""
    return tensor.is_cpu and tensor.is_contiguous() and not tensor.is_conj() and not tensor.is_neg()


class InPlace(Elements):
    """Elements where they lie; it may be entered again and again.

    A class and no generator, since a small tensor takes less time than a generator.
    """

    __slots__ = ("_address", "_elements", "_tracked", "tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        self._tracked = not tensor.is_inference()
        self._address = 0
        self._elements: NDArray[Any] | None = None

    def elements(self) -> NDArray[Any]:
        """Return the elements, to be read; who writes them enters."""
        address = self.tensor.data_ptr()  # share_memory_() moves what a tensor holds
        if self._elements is None or address != self._address:
            self._elements, self._address = _as_numpy(self.tensor).reshape(-1), address
        return self._elements

    __enter__ = elements

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is None and self._tracked:
            # The bytes changed behind autograd's back: tell it, so that a stale graph is an error.
            _increment_version(self.tensor)

    def belongs_to(self, tensor: torch.Tensor) -> bool:
        """Whether these are the elements of a tensor, which may have been given other memory or another layout."""
        own = self.tensor
        return tensor.data_ptr() == own.data_ptr() and tensor.is_contiguous() and tensor.numel() == own.numel()


class _Copied(Elements):
    """A copy of elements in row-major order, written back on leaving."""

    __slots__ = ("_copy", "_tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor
        self._copy = tensor

    def __enter__(self) -> NDArray[Any]:
        self._copy = self._tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        return _as_numpy(self._copy)

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is None:
            with torch.no_grad():
                self._tensor.copy_(self._copy.reshape(self._tensor.shape))


def _as_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """Return a tensor in main memory as an array of the same memory; bfloat16 as bit patterns."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
