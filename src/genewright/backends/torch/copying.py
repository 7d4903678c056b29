"""An independent copy of a torch module, of the same class."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.independence import reached_from
from genewright.backends.torch.tensors import left_alone, members_of, named_layers, unwrapped
from genewright.errors import UnsupportedError
from genewright.process_state import warnings_ignored

RECIPE = "_genewright_recipe"
"""The attribute of a mutant that holds the texts of its steps."""


def copy_module(model: nn.Module, *, dtype: torch.dtype | None = None) -> nn.Module:
    """Return a deep copy: parameters, buffers, hooks, modes, ties, memory formats and Python attributes.

    Tensors that torch refuses to copy because they belong to a graph (such as the `weight` that the old
    `torch.nn.utils.weight_norm` keeps as an attribute) are copied without their graph. The copy is held to being one:
    it shares no tensor with `model` and reaches no module of it, and its parameters can be trained.

    Args:
        model: Any module.
        dtype: Floating parameters and buffers are copied as these numbers; None keeps theirs.

    Raises:
        UnsupportedError: The module holds something that cannot be copied, or that a copy would share; it is named.
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
        with torch.no_grad():  # TorchScript copies a parameter by an operation, which would leave it in a graph
            copied = copy.deepcopy(model, memo)
    except Exception as error:
        raise _refusal(model, str(error)) from error
    _finish_scripted(model, copied, history)
    reached = reached_from(copied, model)
    if reached is not None:
        raise _refusal(model, f"{reached}, and would in the copy")
    bound = next((name for name, parameter in copied.named_parameters() if not parameter.is_leaf), None)
    if bound is not None:
        raise _refusal(model, f"its parameter {bound!r} would belong to a graph and could not be trained")
    return copied


def _refusal(model: nn.Module, reason: str) -> UnsupportedError:
    return UnsupportedError(
        f"This {type(model).__name__} cannot be copied ({reason}). Mutate it in place (inplace=True), "
        "or for a while: with gw.mutated(...)."
    )


def _finish_scripted(model: nn.Module, copied: nn.Module, history: Any) -> None:
    """Give copies of TorchScript modules what their own way of copying leaves out.

    Raises:
        UnsupportedError: They had hooks, or tensors in common with other modules.
    """
    modules = dict(named_layers(model))
    scripted = [name for name, module in modules.items() if isinstance(module, torch.jit.ScriptModule)]
    if not scripted:
        return
    made = dict(copied.named_parameters(remove_duplicate=False))
    for name, parameter in model.named_parameters(remove_duplicate=False):
        made[name].requires_grad_(parameter.requires_grad)
    if [one.names for one in members_of(model).values()] != [one.names for one in members_of(copied).values()]:
        raise _refusal(model, "a TorchScript module in it shares a tensor with another module")
    copies = dict(named_layers(copied))
    for name in scripted:
        if _num_hooks(modules[name]) != _num_hooks(copies[name]):
            raise _refusal(model, f"its TorchScript module {name!r} has hooks, which TorchScript does not copy")
    if history is not None:
        vars(unwrapped(copied))[RECIPE] = history


def _num_hooks(module: nn.Module) -> int:
    held = vars(module).items()
    return sum(len(cast("dict[int, Any]", hooks)) for key, hooks in held if key.endswith("_hooks") and hooks)


def _same_form(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy that is sparse, quantised or expanded, as the tensor is."""
    if tensor.is_quantized:
        with warnings_ignored():  # torch's own copy of it warns of a class that torch has deprecated
            return copy.deepcopy(tensor)
    if tensor.layout != torch.strided:
        return tensor.clone()
    return _viewed(tensor.detach(), tensor.untyped_storage().clone())


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether it is a floating tensor of torch's own classes: of others, only they know how they are copied."""
    return tensor.is_floating_point() and type(tensor) in (torch.Tensor, nn.Parameter)


def _copied(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    made = tensor.detach().to(dtype, copy=True)
    return nn.Parameter(made, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def _viewed(view: torch.Tensor, memory: torch.UntypedStorage) -> torch.Tensor:
    """Return what a tensor sees of its memory, of a copy of that memory."""
    made = torch.empty(0, dtype=view.dtype, device=view.device)
    made.set_(memory, view.storage_offset(), view.shape, view.stride())
    return nn.Parameter(made, requires_grad=view.requires_grad) if isinstance(view, nn.Parameter) else made


def _views_of_one_copy(model: nn.Module, dtype: torch.dtype | None) -> dict[int, Any]:
    """Copy tensors that are tied, or overlap, through views of the same memory: Python's copy would part them."""
    memo: dict[int, Any] = {}
    memories: dict[int, torch.UntypedStorage] = {}
    for member in members_of(model).values():
        if member.shares and dtype is None:
            for view in member.same:
                storage = view.untyped_storage()
                memory = memories.setdefault(storage.data_ptr(), storage.clone())
                memo[id(view)] = _viewed(view, memory)
            continue
        first = member.same[0]
        for other in member.same[1:]:
            if isinstance(first, nn.Parameter) and isinstance(other, nn.Parameter):
                plain = dtype is not None and _is_plain(first)
                copied = memo.setdefault(id(first), _copied(first, dtype)) if plain else copy.deepcopy(first, memo)
                memo[id(other)] = nn.Parameter(copied.detach(), requires_grad=other.requires_grad)
    return memo
