"""Attention under vmap: individuals are more samples of one batch; torch has no rule, and computes one by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_attend: Any = nn.functional.scaled_dot_product_attention


class _Attention(torch.autograd.Function):
    """Scaled dot product attention, with a rule of its own; under no graph."""

    @staticmethod
    def forward(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, settings: Any) -> torch.Tensor:
        return _attend(query, key, value, attn_mask=mask, **settings)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: populations have no graph."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        query, key, value, mask, settings = args
        size = info.batch_size
        query, key, value = (
            one.expand(size, *one.shape) if at is None else one.movedim(at, 0)
            for one, at in zip((query, key, value), in_dims, strict=False)
        )
        if mask is not None:
            own = mask[None] if in_dims[3] is None else mask.movedim(in_dims[3], 0)
            missing = query.dim() - own.dim()  # a mask broadcasts over samples and heads, from the right
            mask = own.reshape(own.shape[0], *(1,) * missing, *own.shape[1:])
            mask = mask.expand(*query.shape[:-3], *mask.shape[-3:]) if query.dim() > 4 else mask
        made = _attend(
            *map(_folded, (query, key, value)), attn_mask=mask if mask is None else _folded(mask), **settings
        )
        return made.reshape(*query.shape[:-1], value.shape[-1]), 0


def _folded(one: torch.Tensor) -> torch.Tensor:
    return one.reshape(-1, *one.shape[-3:]) if one.dim() > 4 else one


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Return what torch's function of that name does, of the same arguments, inside or outside of vmap."""
    settings = {**dict(zip(("attn_mask", "dropout_p", "is_causal"), args, strict=False)), **kwargs}
    if settings.get("dropout_p"):
        return _attend(query, key, value, **settings)
    mask = settings.pop("attn_mask", None)
    return _Attention.apply(query, key, value, mask, settings)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
