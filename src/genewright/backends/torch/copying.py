"""An independent copy of a torch module, of the same class."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.tensors import members_of
from genewright.errors import UnsupportedError


def copy_module(model: nn.Module) -> nn.Module:
    """Return a deep copy: parameters, buffers, hooks, modes, ties, memory formats and Python attributes.

    Tensors that torch refuses to copy because they belong to a graph (such as the `weight` that the old
    `torch.nn.utils.weight_norm` keeps as an attribute) are copied without their graph.

    Raises:
        UnsupportedError: The module holds something that cannot be copied.
    """
    memo = _views_of_one_copy(model)
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(model, memo)
    except Exception as error:
        raise UnsupportedError(
            f"This {type(model).__name__} cannot be copied ({error}). Mutate it in place (inplace=True), "
            "or for a while: with gw.mutated(...)."
        ) from error


def _views_of_one_copy(model: nn.Module) -> dict[int, Any]:
    """Copy parameters that are tied through views of the same memory: Python's copy would untie them."""
    memo: dict[int, Any] = {}
    for member in members_of(model).values():
        first = member.same[0]
        for other in member.same[1:]:
            if isinstance(first, nn.Parameter) and isinstance(other, nn.Parameter):
                copied = copy.deepcopy(first, memo)
                memo[id(other)] = nn.Parameter(copied.detach(), requires_grad=other.requires_grad)
    return memo
