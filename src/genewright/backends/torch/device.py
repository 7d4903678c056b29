"""Drawing noise on the device where a tensor lies, by one Triton kernel, without a copy in main memory."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import torch

from genewright.noise import Change, Stream
from genewright.part import Part

Add = Callable[[Callable[[], None]], None]


def perturb_on_device(
    tensor: torch.Tensor, change: Change, stream: Stream, part: Part, journal: Add | None, *, start: int = 0
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
    if part or not _reachable(tensor) or not tensor.is_contiguous() or not _installed():
        return False
    kernels: Any = importlib.import_module("genewright.noise.cuda")
    flat = tensor.detach().view(-1)

    def note(old: Any) -> None:
        if journal is not None:
            journal(lambda: old.restore(flat))

    kernels.apply(flat, change, stream, start=start, journal=None if journal is None else note)
    return True


def _reachable(tensor: torch.Tensor) -> bool:
    """Whether Triton runs where the tensor lies; its interpreter runs in main memory."""
    return tensor.is_cuda or (_interpreted() and tensor.is_cpu)


@functools.cache  # Triton too asks once
def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None
