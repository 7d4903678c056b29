"""Recurrent layers under vmap: torch has no rule for them, so one individual's runs after the other's.

The rest of the model runs for all together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten  # pyright: ignore[reportUnknownVariableType]

_torch: Any = torch
RECURRENT: Final[frozenset[Any]] = frozenset({_torch.lstm, _torch.gru, _torch.rnn_tanh, _torch.rnn_relu})
Call = Callable[..., tuple[torch.Tensor, ...]]


class _InTurn(torch.autograd.Function):
    """What a function of tensors returns, of one individual after the other; under no graph."""

    @staticmethod
    def forward(call: Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return call(*tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: populations have no graph."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        call, *tensors = args
        rows = [one if at is None else one.movedim(at, 0) for one, at in zip(tensors, in_dims[1:], strict=True)]
        made = [
            call(*(one if at is None else one[each] for one, at in zip(rows, in_dims[1:], strict=True)))
            for each in range(info.batch_size)
        ]
        return tuple(torch.stack(ones) for ones in zip(*made, strict=True)), (0,) * len(made[0])


def in_turn(func: Any, args: Any) -> tuple[torch.Tensor, ...]:
    """Return what one of `RECURRENT` does of the arguments that torch's layers give it, inside or outside of vmap.

    Raises:
        NotImplementedError: Units are dropped between its layers: who drops which is vmap's to say.
    """
    leaves, spec = cast("tuple[list[Any], Any]", tree_flatten(args))
    places = [at for at, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    weights = max(at for at, one in enumerate(args) if isinstance(one, list | tuple))
    _, _, dropout, training = args[weights + 1 : weights + 5]  # has_biases, num_layers, dropout, train
    if dropout and training:
        raise NotImplementedError(f"{func.__name__} drops units between its layers")

    def call(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        filled = list(leaves)
        for at, tensor in zip(places, tensors, strict=True):
            filled[at] = tensor
        return func(*tree_unflatten(filled, spec))

    return cast(Any, _InTurn).apply(call, *(leaves[at] for at in places))
