"""The elements of a torch tensor as a NumPy array, wherever and however they lie in memory."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray


@contextmanager
def elements_of(tensor: torch.Tensor) -> Generator[NDArray[Any]]:
    """Give a tensor's elements as a writable 1-D array in row-major order; on leaving, they are in the tensor.

    A contiguous tensor in main memory is handed out as it is; any other (channels_last, transposed, on a GPU) as a
    copy that is written back into the same memory. bfloat16 comes as uint16 bit patterns.
    """
    tensor = tensor.detach()
    flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    yield as_numpy(flat)
    with torch.no_grad():
        if flat.numel() and flat.data_ptr() != tensor.data_ptr():
            tensor.copy_(flat.reshape(tensor.shape))
        elif not tensor.is_inference():
            # The bytes changed behind autograd's back: tell it, so that a stale graph is an error.
            torch.autograd.graph.increment_version(tensor)


def as_numpy(flat: torch.Tensor) -> NDArray[Any]:
    """Return a contiguous tensor in main memory as an array of the same memory; bfloat16 as bit patterns."""
    if flat.dtype == torch.bfloat16:
        return flat.view(torch.uint16).numpy()
    return flat.numpy()
