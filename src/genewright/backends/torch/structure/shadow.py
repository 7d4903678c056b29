"""A shadow of a module: the same structure around other tensors, to be run and changed without touching the user's.

Whatever a forward pass leaves on its module (a cache, a counter) stays on the shadow.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from genewright.errors import UnsupportedError


def shadow_of(model: nn.Module, instead: Callable[[torch.Tensor], torch.Tensor | None]) -> nn.Module:
    """Return a copy of `model` in evaluation mode around other tensors.

    Args:
        model: Any module.
        instead: What stands in for a tensor that a module of it holds; None copies the tensor.

    Raises:
        UnsupportedError: The module holds something that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        held = (module._parameters, module._buffers, vars(module))  # pyright: ignore[reportPrivateUsage]
        for holder in held:
            for value in holder.values():
                if isinstance(value, torch.Tensor) and id(value) not in memo:
                    other = instead(value)
                    if other is not None:
                        memo[id(value)] = other
    try:
        shadow = copy.deepcopy(model, memo)
    except Exception as error:
        raise UnsupportedError(f"This {type(model).__name__} cannot be copied to be looked at: {error}.") from error
    return shadow.eval()


def call_with(model: nn.Module, example: Any) -> Any:
    """Call `model` with a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(example, Mapping):
        return model(**example)
    if isinstance(example, tuple | list):
        return model(*example)
    return model(example)
