"""Modules whose layers and shapes must not change: wrappers with their own account of parameters, and TorchScript."""

from __future__ import annotations

import torch
from torch import nn

from genewright.backends.torch.tensors import named_layers
from genewright.errors import UnsupportedError

_WRAPPERS = ("DistributedDataParallel", "FullyShardedDataParallel", "DataParallel")


def refuse_wrapped(model: nn.Module) -> None:
    """Refuse to change layers or shapes of a model that is wrapped for parallel training, or compiled to TorchScript.

    Raises:
        UnsupportedError: It is; the message says what to do instead.
    """
    for name, module in named_layers(model):
        kind = type(module).__name__
        if isinstance(module, torch.jit.ScriptModule):
            raise UnsupportedError(
                f"{name or 'The model'!r} is a TorchScript module ({kind}): its code is fixed, and so are its layers "
                "and shapes. Mutate the module that it was made of, then call torch.jit.script or torch.jit.trace "
                "again; weights can be mutated as it is."
            )
        own = module._parameters.values()  # pyright: ignore[reportPrivateUsage]  # the registry, whatever wraps it
        if kind in _WRAPPERS or any(type(parameter).__name__ == "DTensor" for parameter in own):
            kind = kind if kind in _WRAPPERS else "sharded module"
            raise UnsupportedError(
                f"{name or 'The model'!r} is a {kind}, which keeps its own account of the parameters. Mutate the model "
                "inside, on every process with the same seed, and wrap the mutant: "
                f"{'wrapped.module' if kind != 'sharded module' else 'the module as it was before it was sharded'}."
            )
