"""A torch module is run and then holds what it held: attributes, caches, counters, and the elements of buffers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.tensors import named_layers
from genewright.instance_state import InstanceState

_LEFT = ("_modules", "_parameters", "training")  # with an account of their own (sharded modules), or set by us


@contextmanager
def kept_state(model: nn.Module) -> Generator[None]:
    """Inside the block the model may run; afterwards its modules hold what they held before it.

    That is: attributes, what containers and objects in them hold, and the elements of buffers and other tensors;
    parameters are no state. Objects of torch itself are left alone, and so is what functions close over.

    Args:
        model: Any module.
    """
    state = state_of(model)
    try:
        yield
    finally:
        state.put_back()


def state_of(model: nn.Module) -> InstanceState:
    """Return what the modules of a model hold now, as `kept_state` puts it back; it can be put back many times."""
    return InstanceState(_special, _LEFT).keep(module for _, module in named_layers(model))


def _special(state: InstanceState, value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        if not isinstance(value, nn.Parameter):
            _keep_tensor(state, value)
        return True
    if isinstance(value, nn.Module):  # one that is not registered
        state.keep_object(value)
        return True
    return type(value).__module__.partition(".")[0] == "torch"


def _keep_tensor(state: InstanceState, tensor: torch.Tensor) -> None:
    if tensor.is_meta or (tensor.requires_grad and not tensor.is_leaf):  # computed anew by every forward pass
        return
    values, version = tensor.detach().clone(), _version(tensor)

    def restore() -> None:
        if version is not None and _version(tensor) == version and tensor.shape == values.shape:
            return
        with torch.no_grad():
            if tensor.shape != values.shape:
                tensor.data = values
            elif not torch.equal(tensor, values):
                tensor.copy_(values)

    state.restores.append(restore)


def _version(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version  # pyright: ignore[reportPrivateUsage]  # no public name
