"""Buffers that count or mask positions, at another length."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.restructure.dispatch import restructure
from genewright.edits import ContinueBuffer
from genewright.errors import UnsupportedError
from genewright.journal import Journal


@restructure.register
def _continue_buffer(edit: ContinueBuffer, model: nn.Module, journal: Journal) -> None:
    holder = layer_called(model, edit.layer)
    held: dict[str, Any] = holder._buffers  # pyright: ignore[reportPrivateUsage]  # register_buffer would forget what is saved
    old = held.get(edit.attribute)
    made = None if old is None else continued(old, edit.size, edit.new)
    if made is None:
        raise UnsupportedError(
            f"{edit.layer!r} has no buffer {edit.attribute!r} that counts or masks {edit.size} positions by a rule "
            "that could go on."
        )
    journal.keep(held)
    held[edit.attribute] = made


def continued(buffer: torch.Tensor, size: int, new: int) -> torch.Tensor | None:
    """Return a buffer at another length, by the rule of its values; None where it follows none.

    Args:
        buffer: Numbers or a mask; it stays as it is.
        size: The old length; every axis that has it changes.
        new: The new length.
    """
    axes = [axis for axis, length in enumerate(buffer.shape) if length == size]
    if axes == [buffer.dim() - 1] and not buffer.is_floating_point():
        return _counted(buffer, size, new)
    if axes == [buffer.dim() - 2, buffer.dim() - 1]:
        return _banded(buffer, size, new)
    return None


def _counted(buffer: torch.Tensor, size: int, new: int) -> torch.Tensor | None:
    """Return whole numbers that go up evenly (or stay), more or fewer of them."""
    if buffer.dtype == torch.bool or not buffer.numel():
        return None
    start = buffer[..., :1]
    step = buffer[..., 1:2] - start if size > 1 else torch.zeros_like(start)
    place = torch.arange(max(size, new), dtype=buffer.dtype, device=buffer.device)
    made = start + step * place
    return made[..., :new].contiguous() if torch.equal(made[..., :size], buffer) else None


def _banded(buffer: torch.Tensor, size: int, new: int) -> torch.Tensor | None:
    """Return a mask whose entries depend on row less column, longer or shorter; the outermost diagonals go on."""
    by_distance = torch.cat([buffer[..., 0, :].flip(-1), buffer[..., 1:, 0]], -1)  # at [size - 1 + row - column]

    def laid(length: int) -> torch.Tensor:
        place = torch.arange(length, device=buffer.device)
        distance = (place[:, None] - place[None, :]).clamp(1 - size, size - 1) + size - 1
        return by_distance[..., distance]

    flat = by_distance.flatten()
    others = flat[flat != flat[0]]
    is_mask = others.numel() > 0 and bool((others == others[0]).all())  # seen, not seen
    return laid(new) if is_mask and torch.equal(laid(size), buffer) else None
