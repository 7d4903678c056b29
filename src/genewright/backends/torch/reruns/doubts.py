"""Why a model cannot be run from its middle on: what a run does beyond its layers' outputs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules import module as of_modules

from genewright.backends.torch.tensors import named_layers

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")


def doubt(model: nn.Module) -> str | None:
    """Return why every run of a model has to be a whole one; None where no reason can be seen before it is run.

    >>> doubt(nn.Linear(2, 2)) is None
    True
    >>> hooked = nn.Linear(2, 2)
    >>> _ = hooked.register_forward_hook(lambda module, args, output: output + 1)
    >>> doubt(hooked)
    'Linear has hooks'
    """
    if any(getattr(of_modules, name, None) for name in _GLOBAL_HOOKS):
        return "hooks are registered for all modules"
    for _, module in named_layers(model):
        held = vars(module)
        if (
            isinstance(module, torch.jit.ScriptModule)
            or held.get("_compiled_call_impl")
            or "_orig_mod" in held.get("_modules", ())
        ):
            return f"{type(module).__name__} is compiled"
        if any(held.get(name) for name in _HOOKS):
            return f"{type(module).__name__} has hooks"
        if "forward" in held:
            return f"the forward of {type(module).__name__} was replaced"
        for tensor in (*held["_parameters"].values(), *held["_buffers"].values()):
            if tensor is not None and (
                type(tensor) not in (torch.Tensor, nn.Parameter, nn.Buffer) or tensor.layout != torch.strided
            ):
                return f"{type(module).__name__} holds a {type(tensor).__name__}"
    return None
