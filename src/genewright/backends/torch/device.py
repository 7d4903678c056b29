"""Drawing noise for a tensor on a device, without a copy of it in main memory: by one Triton kernel where it lies.

A few elements of it are changed in main memory, and these alone travel.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genewright.noise import Change, Stream, WeightedSum
from genewright.noise.distinct import made_of
from genewright.part import Part

Add = Callable[[Callable[[], None]], None]


def perturb_on_device(
    tensor: torch.Tensor,
    change: Change | WeightedSum,
    stream: Stream,
    part: Part,
    journal: Add | None,
    *,
    start: int = 0,
) -> bool:
    """Draw and apply a change where the tensor lies.

    Args:
        tensor: Any tensor.
        change: The change.
        stream: The random words.
        part: The elements that may change.
        journal: Receives what takes it back.
        start: The index, in the whole tensor, of the first element of this stretch of it.

    Returns:
        False where this is not possible, and nothing has changed: the tensor is in main memory, only a part of it may
        change, its memory is not in row-major order, or Triton is not installed.
    """
    if part or not reachable(tensor) or not tensor.is_contiguous() or not _installed():
        return False
    kernels: Any = importlib.import_module("genewright.noise.cuda")
    flat = tensor.detach().view(-1)

    def note(old: Any) -> None:
        if journal is not None:
            journal(lambda: old.restore(flat))

    kernels.apply(flat, change, stream, start=start, journal=None if journal is None else note)
    return True


def perturb_elements(
    tensor: torch.Tensor, change: Change, stream: Stream, elements: NDArray[np.int64], journal: Add | None
) -> None:
    """Change some elements of a tensor wherever it lies.

    Args:
        tensor: A floating tensor, in any memory format.
        change: The change.
        stream: The random words.
        elements: Their places in row-major order.
        journal: Receives what takes it back.
    """
    held = tensor.detach().view(_PATTERNS[tensor.element_size()])
    axes = np.unravel_index(elements, tuple(tensor.shape)) if tensor.dim() else ()
    place = tuple(torch.as_tensor(np.array(axis), device=tensor.device) for axis in axes)
    old = held[place].clone()
    if journal is not None:

        def restore() -> None:
            held[place] = old

        journal(restore)
    dtype = str(tensor.dtype).removeprefix("torch.")
    stored = np.dtype(np.uint16 if dtype == "bfloat16" else dtype)
    made = made_of(old.cpu().numpy().reshape(-1).view(stored), elements, change, stream, dtype)
    pattern = torch.as_tensor(made.view(np.dtype(f"i{made.itemsize}")).copy())
    held[place] = pattern.reshape(old.shape).to(tensor.device)


_PATTERNS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def reachable(tensor: torch.Tensor) -> bool:
    """Whether Triton runs where the tensor lies; its interpreter runs in main memory."""
    return tensor.is_cuda or (_interpreted() and tensor.is_cpu)


@functools.cache  # Triton too asks once
def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None
