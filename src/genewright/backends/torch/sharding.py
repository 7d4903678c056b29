"""Tensors of which each process holds a block: DTensor, as `fully_shard` (FSDP2) and tensor parallelism make them.

A block is perturbed where it lies, as that part of the whole would be. What has to see the whole tensor (a fingerprint,
a permutation) gathers that one tensor: like every collective, it must be called on all processes, with the same seed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.errors import UnsupportedError
from genewright.noise.shards import runs
from genewright.part import Part

_USUAL = (nn.Parameter, torch.Tensor)


@dataclass(frozen=True, eq=False)
class LocalShard:
    """The block of a tensor that this process holds.

    Attributes:
        tensor: The whole, as a DTensor.
        local: Its elements, in this process's memory.
        shape: The shape of the whole tensor.
        offset: Where the block begins, per axis.
    """

    tensor: torch.Tensor
    local: torch.Tensor
    shape: tuple[int, ...]
    offset: tuple[int, ...]

    def runs(self) -> Iterator[tuple[slice, int]]:
        """Yield the consecutive stretches: (place in the flattened block, first index in the whole tensor)."""
        return runs(self.shape, self.offset, tuple(self.local.shape))

    def slices(self) -> tuple[slice, ...]:
        """Return the block's place in the whole tensor, for indexing."""
        return tuple(slice(start, start + length) for start, length in zip(self.offset, self.local.shape, strict=True))

    def inside(self, part: Part) -> NDArray[np.bool_]:
        """Return which elements of the block belong to a part of the whole tensor (`genewright.part`)."""
        belongs = np.ones(tuple(self.local.shape), np.bool_)
        for axis, positions in enumerate(part):
            if positions is not None:
                chosen = np.zeros(self.shape[axis], np.bool_)
                chosen[positions.array] = True
                across = [1] * belongs.ndim
                across[axis] = -1
                belongs &= chosen[self.slices()[axis]].reshape(across)
        return belongs


def is_sharded(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a DTensor."""
    return type(tensor) not in _USUAL and isinstance(tensor, _dtensor())


def memory_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor that lies in this process's memory: a DTensor's block, any other tensor itself."""
    return _local(tensor) if is_sharded(tensor) else tensor


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all elements: a DTensor is gathered, on all processes together."""
    gathered: Any = tensor.detach()
    if not is_sharded(tensor):
        return gathered
    with torch.no_grad():
        return gathered.full_tensor()


def local_shard(name: str, tensor: torch.Tensor) -> LocalShard:
    """Return the block of a DTensor that this process holds.

    Raises:
        UnsupportedError: It is neither cut along axes nor copied (partial sums, blocks that are not consecutive).
    """
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    held: Any = tensor
    if any(type(placement) not in (Shard, Replicate) for placement in held.placements):
        raise UnsupportedError(
            f"{name!r} is a DTensor placed as {held.placements}; only Shard and Replicate can be mutated. "
            "Redistribute it first: tensor.redistribute(placements=...)."
        )
    shape, local = tuple(tensor.shape), _local(tensor)
    extent, offset = compute_local_shape_and_global_offset(shape, held.device_mesh, held.placements)
    if tuple(extent) != tuple(local.shape):
        raise UnsupportedError(
            f"{name!r}: this process holds a block of shape {tuple(local.shape)} where {tuple(extent)} was expected "
            f"of {shape} placed as {held.placements}."
        )
    return LocalShard(tensor, local, shape, tuple(int(start) for start in offset))


def sharding_module() -> Any | None:
    """Return torch's module of sharded modules, where somebody has imported it: there are none without."""
    return sys.modules.get("torch.distributed.fsdp")


def ready(module: nn.Module, name: str, fsdp: Any) -> None:
    """Make a module's own parameters those that count, or refuse: wrappers show other ones for a while.

    A module under `fully_shard` keeps gathered copies after a forward pass; they are let go of. The older
    FullyShardedDataParallel shows flattened pieces.

    Args:
        module: The module.
        name: Its name.
        fsdp: What `sharding_module` returns.

    Raises:
        UnsupportedError: The module is a FullyShardedDataParallel.
    """
    held: Any = module
    if isinstance(held, fsdp.FSDPModule):
        held.reshard()
    elif isinstance(held, fsdp.FullyShardedDataParallel):
        raise UnsupportedError(
            f"{name or 'The model'!r} is a FullyShardedDataParallel, whose parameters are flattened pieces. Mutate the "
            "module before it is wrapped, on every process with the same seed; or shard it with "
            "torch.distributed.fsdp.fully_shard, whose tensors are mutated where they lie."
        )


def _local(tensor: torch.Tensor) -> torch.Tensor:
    held: Any = tensor
    return held._local_tensor.detach()


def _dtensor() -> Any:
    """Return the class; the empty tuple, which nothing is an instance of, while nobody has imported it."""
    module = sys.modules.get("torch.distributed.tensor")
    return () if module is None else module.DTensor
