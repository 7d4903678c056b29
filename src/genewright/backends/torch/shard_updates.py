"""Update the local shard of a sharded tensor exactly as that part of the whole tensor would change."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright import noise
from genewright.backends.torch.device import perturb_on_device
from genewright.backends.torch.memory import elements_of
from genewright.backends.torch.sharding import LocalShard, whole
from genewright.noise import Change, Stream, WeightedSum
from genewright.part import Part

Add = Callable[[Callable[[], None]], None]


def perturb_shard(
    block: LocalShard, change: Change | WeightedSum, stream: Stream, part: Part, journal: Add | None
) -> None:
    """Draw and apply a change of a tensor to a block of it, without a look at the others.

    Args:
        block: The block.
        change: A change of the whole tensor.
        stream: The random words.
        part: The elements of the whole tensor that may change.
        journal: Receives what takes it back on this process.
    """
    if not _on_device(block, change, stream, part, journal):
        _in_main_memory(block, change, stream, part, journal)


@contextmanager
def gathered_elements(block: LocalShard) -> Generator[NDArray[Any]]:
    """Give all elements of a sharded tensor, gathered, as `elements_of` does; afterwards each process keeps its own."""
    full = whole(block.tensor)
    with elements_of(full) as values:
        yield values
    block.local.copy_(full[block.slices()])


def _on_device(
    block: LocalShard, change: Change | WeightedSum, stream: Stream, part: Part, journal: Add | None
) -> bool:
    """Launch a kernel for every consecutive stretch; False, before the first, where none can be launched."""
    if not block.local.is_contiguous():
        return False
    flat = block.local.view(-1)
    return all(  # the first one says no, or none does
        perturb_on_device(flat[place], change, stream, part, journal, start=start) for place, start in block.runs()
    )


def _in_main_memory(
    block: LocalShard, change: Change | WeightedSum, stream: Stream, part: Part, journal: Add | None
) -> None:
    def note(old: noise.ShardUndo) -> None:
        def restore() -> None:
            with elements_of(block.local) as values:
                old.restore(values)

        if journal is not None:
            journal(restore)

    with elements_of(block.local) as values:
        shaped = values.reshape(tuple(block.local.shape))
        outside = (shaped.copy(), ~block.inside(part)) if part else None
        noise.apply_shard(
            shaped,
            change,
            stream,
            dtype=str(block.local.dtype).removeprefix("torch."),
            shape=block.shape,
            offset=block.offset,
            journal=None if journal is None else note,
        )
        if outside is not None:
            np.copyto(shaped, outside[0], where=outside[1])
