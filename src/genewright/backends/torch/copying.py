"""An independent copy of a torch module, of the same class."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.tensors import left_alone, members_of, unwrapped
from genewright.errors import UnsupportedError
from genewright.process_state import warnings_ignored

RECIPE = "_genewright_recipe"
"""The attribute of a mutant that holds the texts of its steps."""


def copy_module(model: nn.Module, *, dtype: torch.dtype | None = None) -> nn.Module:
    """Return a deep copy: parameters, buffers, hooks, modes, ties, memory formats and Python attributes.

    Tensors that torch refuses to copy because they belong to a graph (such as the `weight` that the old
    `torch.nn.utils.weight_norm` keeps as an attribute) are copied without their graph.

    Args:
        model: Any module.
        dtype: Floating parameters and buffers are copied as these numbers; None keeps theirs.

    Raises:
        UnsupportedError: The module holds something that cannot be copied.
    """
    memo = _views_of_one_copy(model, dtype)
    history = vars(unwrapped(model)).get(RECIPE)
    if history is not None:
        memo[id(history)] = history  # texts: a mutant of many generations is copied as fast as one of the first
    for module in model.modules():
        own = (*module._parameters.values(), *module._buffers.values())  # pyright: ignore[reportPrivateUsage]
        for value in own if dtype is not None else ():
            if value is not None and id(value) not in memo and _is_plain(value):
                memo[id(value)] = _copied(value, dtype)
        for value in own:  # Python's copy knows strided tensors alone, and makes expanded ones dense
            if value is not None and id(value) not in memo and left_alone(value) is not None:
                copied = _same_form(value.detach())
                parameter = isinstance(value, nn.Parameter)
                memo[id(value)] = nn.Parameter(copied, requires_grad=value.requires_grad) if parameter else copied
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


def _same_form(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy that is sparse, quantised or expanded, as the tensor is."""
    if tensor.is_quantized:
        with warnings_ignored():  # torch's own copy of it warns of a class that torch has deprecated
            return copy.deepcopy(tensor)
    if tensor.layout != torch.strided:
        return tensor.clone()
    memory = tensor.untyped_storage().clone()
    made = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return made.set_(memory, tensor.storage_offset(), tensor.shape, tensor.stride())


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether it is a floating tensor of torch's own classes: of others, only they know how they are copied."""
    return tensor.is_floating_point() and type(tensor) in (torch.Tensor, nn.Parameter)


def _copied(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    made = tensor.detach().to(dtype, copy=True)
    return nn.Parameter(made, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def _views_of_one_copy(model: nn.Module, dtype: torch.dtype | None) -> dict[int, Any]:
    """Copy parameters that are tied through views of the same memory: Python's copy would untie them."""
    memo: dict[int, Any] = {}
    for member in members_of(model).values():
        first = member.same[0]
        for other in member.same[1:]:
            if isinstance(first, nn.Parameter) and isinstance(other, nn.Parameter):
                plain = dtype is not None and _is_plain(first)
                copied = memo.setdefault(id(first), _copied(first, dtype)) if plain else copy.deepcopy(first, memo)
                memo[id(other)] = nn.Parameter(copied.detach(), requires_grad=other.requires_grad)
    return memo
