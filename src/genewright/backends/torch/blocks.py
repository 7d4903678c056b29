"""Changing the block of a sharded tensor that this process holds, exactly as that part of the whole would change."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright import noise
from genewright.apply import Undo
from genewright.backends.torch.device import perturb_on_device
from genewright.backends.torch.memory import elements_of
from genewright.backends.torch.sharding import Block, whole
from genewright.edit import Perturb


def perturb_block(block: Block, edit: Perturb, *, journal: Callable[[Undo], object] | None) -> None:
    """Draw and apply an edit of a tensor to a block of it, without a look at the others.

    Args:
        block: The block.
        edit: An edit of the whole tensor.
        journal: Called, before anything changes, with what takes the change back on this process.
    """
    if not _on_device(block, edit, journal=journal):
        _in_main_memory(block, edit, journal=journal)


@contextmanager
def gathered_elements(block: Block) -> Generator[NDArray[Any]]:
    """Give all elements of a sharded tensor, gathered, as `elements_of` does; afterwards each process keeps its own."""
    full = whole(block.tensor)
    with elements_of(full) as values:
        yield values
    block.local.copy_(full[block.slices()])


def _on_device(block: Block, edit: Perturb, *, journal: Callable[[Undo], object] | None) -> bool:
    """Launch a kernel for every consecutive stretch; False, before the first, where none can be launched."""
    if not block.local.is_contiguous():
        return False
    flat = block.local.view(-1)
    return all(perturb_on_device(flat[place], edit, journal=journal, start=start) for place, start in block.runs())


def _in_main_memory(block: Block, edit: Perturb, *, journal: Callable[[Undo], object] | None) -> None:
    def note(old: noise.ShardUndo) -> None:
        def undo() -> None:
            with elements_of(block.local) as values:
                old.restore(values)

        if journal is not None:
            journal(undo)

    with elements_of(block.local) as values:
        shaped = values.reshape(tuple(block.local.shape))
        outside = (shaped.copy(), ~block.inside(edit.part)) if edit.part else None
        noise.apply_shard(
            shaped,
            edit.change,
            edit.stream,
            dtype=str(block.local.dtype).removeprefix("torch."),
            shape=block.shape,
            offset=block.offset,
            journal=None if journal is None else note,
        )
        if outside is not None:
            np.copyto(shaped, outside[0], where=outside[1])
