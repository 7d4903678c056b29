"""Whether values leave torch while a model runs: what is made of them there, nobody can follow."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from genewright.backends.torch.reruns.recording import called

_NAMES = ("numpy", "tolist", "__array__", "__dlpack__", "data_ptr", "untyped_storage", "__reduce_ex__")
_WAYS = frozenset[Any](getattr(torch.Tensor, name) for name in _NAMES)


def escapes(model: nn.Module, inputs: Any) -> bool:
    """Run a model, and return whether it reads tensors otherwise than by operations.

    >>> class Counts(nn.Module):
    ...     def forward(self, x):
    ...         return x * float(x.numpy().max())
    >>> escapes(Counts(), torch.ones(2)), escapes(nn.ReLU(), torch.ones(2))
    (True, False)
    """
    watching = _Watching()
    with torch.no_grad(), watching:
        called(model, inputs)
    return watching.seen


class _Watching(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen = self.seen or func in _WAYS
        return func(*args, **(kwargs or {}))
