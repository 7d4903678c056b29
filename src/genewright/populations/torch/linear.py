"""Linear layers under vmap as one batched product: torch's own rule moves and copies more than it multiplies."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from genewright.populations.torch.attention import attention
from genewright.populations.torch.recurrent import RECURRENT, in_turn


class _Linear(torch.autograd.Function):
    """x W^T + b, with a rule of its own for stacked weights; under no graph."""

    @staticmethod
    def forward(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        return nn.functional.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: populations have no graph."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        x, weight, bias = args
        at_x, at_weight, at_bias = in_dims
        if at_weight is None:  # one product for all individuals
            x = x if at_x is None else x.movedim(at_x, 0)
            made = nn.functional.linear(x, weight, bias if at_bias is None else None)
            if bias is not None and at_bias is not None:
                made = made if at_x is not None else made[None]
                rows = bias.movedim(at_bias, 0)
                made = made + rows.reshape(len(rows), *(1,) * (made.dim() - 2), -1)
            return made, 0
        size = info.batch_size
        weight = weight.movedim(at_weight, 0)
        x = x.expand(size, *x.shape) if at_x is None else x.movedim(at_x, 0)
        flat = x if x.dim() == 3 else x.reshape(size, -1, x.shape[-1])
        if bias is None:
            made = torch.bmm(flat, weight.transpose(1, 2))
        else:
            rows = bias.expand(size, *bias.shape) if at_bias is None else bias.movedim(at_bias, 0)
            made = torch.baddbmm(rows[:, None], flat, weight.transpose(1, 2))
        return made.reshape(*x.shape[:-1], weight.shape[1]), 0


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return x W^T + b, inside or outside of vmap."""
    return _Linear.apply(x, weight, bias)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class BatchedLinear(TorchFunctionMode):
    """Lets linear layers, attention and recurrent layers of this thread compute by the rules of this package.

    Args:
        apart: Is given the names of functions that run of one individual after the other.
    """

    def __init__(self, apart: set[str]) -> None:
        super().__init__()
        self._apart = apart

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.linear:
            return linear(*args, **(kwargs or {}))
        if func is nn.functional.scaled_dot_product_attention:
            return attention(*args, **(kwargs or {}))
        if func in RECURRENT and not kwargs:
            self._apart.add(func.__name__)
            return in_turn(func, args)
        return func(*args, **(kwargs or {}))
