"""Writing the elements of torch tensors, wherever and however they lie in memory."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray

from genewright.apply import Store
from genewright.backends.torch.tensors import Member


class TorchStore(Store):
    """The tensors of a torch module, for writing.

    A contiguous tensor in main memory is handed out as it is; any other (channels_last, transposed, on a GPU) as a
    copy in row-major order that is written back into the same memory.
    """

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members

    @contextmanager
    def elements(self, name: str) -> Generator[NDArray[Any]]:
        tensor = self._members[name].tensor.detach()
        flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        yield _as_numpy(flat)
        with torch.no_grad():
            if flat.numel() and flat.data_ptr() != tensor.data_ptr():
                tensor.copy_(flat.reshape(tensor.shape))
            elif not tensor.is_inference():
                # The bytes changed behind autograd's back: tell it, so that a stale graph is an error.
                torch.autograd.graph.increment_version(tensor)


def _as_numpy(flat: torch.Tensor) -> NDArray[Any]:
    if flat.dtype == torch.bfloat16:
        return flat.view(torch.uint16).numpy()
    return flat.numpy()
