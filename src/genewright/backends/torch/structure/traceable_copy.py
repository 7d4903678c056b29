"""A copy of a module around other tensors (meta, fake or shared ones), to be traced and changed freely.

Whatever a forward pass leaves on its module (a cache, a counter) stays on the copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.independence import reached_from
from genewright.backends.torch.tensors import named_layers
from genewright.errors import UnsupportedError


def traceable_copy(model: nn.Module, instead: Callable[[torch.Tensor], torch.Tensor | None]) -> nn.Module:
    """Return a copy of `model` in evaluation mode around other tensors.

    Args:
        model: Any module.
        instead: What stands in for a tensor that a module of it holds; None copies the tensor.

    Raises:
        UnsupportedError: The module holds something that cannot be copied, or that a copy would share.
    """
    memo: dict[int, Any] = {}
    for name, module in named_layers(model):
        if isinstance(module, torch.jit.ScriptModule):
            raise UnsupportedError(
                f"{name or 'The model'!r} is a TorchScript module: what happens in it cannot be followed. Give the "
                "module that it was made of."
            )
        held = (module._parameters, module._buffers, vars(module))  # pyright: ignore[reportPrivateUsage]
        for holder in held:
            for value in holder.values():
                if isinstance(value, torch.Tensor) and id(value) not in memo:
                    other = instead(value)
                    if other is not None:
                        memo[id(value)] = other
    try:
        copied = copy.deepcopy(model, memo)
    except Exception as error:
        raise UnsupportedError(f"This {type(model).__name__} cannot be copied to be traced: {error}.") from error
    reached = reached_from(copied, model, tensors=False)
    if reached is not None:
        raise UnsupportedError(
            f"This {type(model).__name__} cannot be traced: {reached}, so that a copy computes with the original. Its "
            "layers can be changed once that is taken off (del model.forward, say) and put back on afterwards."
        )
    return copied.eval()


def call_with(model: nn.Module, example: Any) -> Any:
    """Call `model` with a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(example, Mapping):
        return model(**example)
    if isinstance(example, tuple | list):
        return model(*example)
    return model(example)
