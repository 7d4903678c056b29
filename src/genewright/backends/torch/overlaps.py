"""Tensors whose elements share memory with others of their own, or with another tensor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import torch


def overlaps_itself(tensor: torch.Tensor) -> bool:
    """Whether two elements of a tensor lie in one place."""
    if tensor.is_contiguous():
        return False
    axes = sorted((stride, size) for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1)
    if not tensor.numel() or not axes:
        return False
    reach = 0
    for stride, size in axes:
        if stride <= reach:
            break
        reach += (size - 1) * stride
    else:
        return False  # each axis steps over all that the smaller ones reach
    places = np.zeros(1, np.int64)
    for stride, size in axes:
        places = (places[:, None] + np.arange(size) * stride).reshape(-1)
    return len(np.unique(places)) < tensor.numel()


def overlaps(tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, str]]:
    """Yield the names of different tensors that share elements, in pairs: a change to one would change the other.

    Args:
        tensors: Names and tensors, tied ones once.
    """
    by_storage: dict[object, list[tuple[str, torch.Tensor]]] = {}
    for name, tensor in tensors:
        if tensor.numel():
            key = (tensor.device, tensor.untyped_storage().data_ptr())
            by_storage.setdefault(key, []).append((name, tensor))
    for sharing in by_storage.values():
        if len(sharing) < 2 or not _spans_overlap(sharing):
            continue
        first = sharing[0][1]
        owners = np.zeros(first.untyped_storage().nbytes(), np.int32)
        for number, (name, tensor) in enumerate(sharing, start=1):
            width = tensor.element_size()
            used = np.lib.stride_tricks.as_strided(
                owners[tensor.storage_offset() * width :],
                (*tensor.shape, width),
                tuple(4 * stride for stride in (*(stride * width for stride in tensor.stride()), 1)),
            )
            for other in np.unique(used[used > 0]).tolist():
                yield sharing[other - 1][0], name
            used[...] = number


def _spans_overlap(sharing: list[tuple[str, torch.Tensor]]) -> bool:
    spans = sorted((tensor.storage_offset() * tensor.element_size(), _end(tensor)) for _, tensor in sharing)
    return any(start < end for (_, end), (start, _) in itertools.pairwise(spans))


def _end(tensor: torch.Tensor) -> int:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return int(tensor.storage_offset() + last + 1) * tensor.element_size()
