"""The elements of a torch tensor as a NumPy array, wherever and however they lie in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from numpy.typing import NDArray


def elements_of(tensor: torch.Tensor) -> AbstractContextManager[NDArray[Any]]:
    """Give a tensor's elements as a writable 1-D array in row-major order; on leaving, they are in the tensor.

    A contiguous tensor in main memory is handed out as it is; any other (channels_last, transposed, on a GPU) as a
    copy that is written back into the same memory. bfloat16 comes as uint16 bit patterns.
    """
    return _Elements(tensor.detach() if tensor.requires_grad else tensor)


def in_main_memory(tensor: torch.Tensor) -> NDArray[Any] | None:
    """Return the elements where they lie, as a 1-D array in row-major order; None where that takes a copy."""
    if tensor.is_cpu and tensor.is_contiguous() and not tensor.is_conj() and not tensor.is_neg():
        return _as_numpy(tensor).reshape(-1)
    return None


class _Elements(AbstractContextManager["NDArray[Any]"]):
    """What `elements_of` returns: a class and no generator, since a small tensor takes less time than a generator."""

    __slots__ = ("_copy", "_tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor
        self._copy: torch.Tensor | None = None

    def __enter__(self) -> NDArray[Any]:
        elements = in_main_memory(self._tensor)
        if elements is not None:
            return elements
        self._copy = self._tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        return _as_numpy(self._copy)

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is not None:
            return
        tensor, copy = self._tensor, self._copy
        if copy is not None:
            with torch.no_grad():
                tensor.copy_(copy.reshape(tensor.shape))
        elif not tensor.is_inference():
            # The bytes changed behind autograd's back: tell it, so that a stale graph is an error.
            torch.autograd.graph.increment_version(tensor)


def _as_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """Return a tensor in main memory as an array of the same memory; bfloat16 as bit patterns."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
