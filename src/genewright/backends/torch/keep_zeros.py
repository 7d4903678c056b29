"""Zeros of a torch module that stay while an optimizer trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.tensors import members_of
from genewright.errors import UnsupportedError


def keep_zeros(model: nn.Module, masks: Mapping[str, NDArray[np.bool_]], optimizer: Any) -> Callable[[], None]:
    """Set masked elements to zero after every step of an optimizer.

    Args:
        model: The module.
        masks: For each tensor, by its name, which elements are zero.
        optimizer: The optimizer.

    Returns:
        A function that ends it.

    Raises:
        UnsupportedError: There is no optimizer.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UnsupportedError(
            "keep_zeros takes the optimizer that trains a torch module: gw.keep_zeros(model, optimizer); received "
            f"{optimizer!r:.60}."
        )
    members = members_of(model)
    held = [(name, members[name].tensor, torch.from_numpy(mask.copy())) for name, mask in masks.items()]  # pyright: ignore[reportUnknownMemberType]

    @torch.no_grad()
    def after_step(*_: Any) -> None:
        for place, (name, tensor, mask) in enumerate(held):
            if tensor.shape != mask.shape:
                raise UnsupportedError(
                    f"{name!r} had shape {tuple(mask.shape)} when gw.keep_zeros was called, and has "
                    f"{tuple(tensor.shape)}. Let it go, and call it again."
                )
            if mask.device != tensor.device:
                mask = mask.to(tensor.device)  # the model has moved
                held[place] = name, tensor, mask
            tensor.masked_fill_(mask, 0)

    return optimizer.register_step_post_hook(after_step).remove
