"""Whether a model has residual blocks, told from its additions alone, with nothing of genewright."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Ancestors(TorchDispatchMode):
    """Notes what each tensor is computed from, and additions of a tensor to something computed from it.

    Attributes:
        residual: Such an addition has been seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.residual = False
        self._of: dict[int, int] = {}
        self._own: dict[int, int] = {}
        self._held: list[Any] = []  # a freed tensor's id could come again
        self._count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        if func.overloadpacket in (torch.ops.aten.add, torch.ops.aten.add_) and len(given) == 2:
            a, b = given
            known = id(a) in self._own and id(b) in self._own
            if known and a.shape == b.shape and a.dim() > 1:
                later = self._of[id(b)] & self._own[id(a)] or self._of[id(a)] & self._own[id(b)]
                self.residual = self.residual or bool(later)
        result = func(*args, **(kwargs or {}))
        bit = 1 << self._count
        self._count += 1
        ancestors = bit
        for tensor in given:
            ancestors |= self._of.get(id(tensor), 0)
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                self._of[id(tensor)], self._own[id(tensor)] = ancestors, bit
                self._held.append(tensor)
        return result


def has_residuals(model: nn.Module, example: Any) -> bool:
    """Whether a run adds a tensor to one of its shape that was computed from it: y = x + f(x)."""
    mode = _Ancestors()
    with torch.no_grad(), mode:
        model(**example) if isinstance(example, dict) else model(example)
    return mode.residual
