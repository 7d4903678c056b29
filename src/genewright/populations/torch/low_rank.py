"""Layers whose weights differ by a product of low rank: x W^T + (x B) A^T, and the weights are never built.

A mode sees every function that a model calls. Those that multiply by such a weight add the second product; a function
of any other kind is given the weight, built for the length of that call.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map  # pyright: ignore[reportUnknownVariableType]

from genewright.edits.functions.add_low_rank import AddLowRank, matrix_shape
from genewright.populations.torch.attention import attention
from genewright.populations.torch.linear import linear
from genewright.populations.torch.recurrent import RECURRENT, in_turn

F: Any = nn.functional
_vecdot: Any = getattr(torch.linalg, "vecdot")  # noqa: B009  # it has no types
_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
_ABOUT = {
    "shape",
    "dtype",
    "device",
    "ndim",
    "requires_grad",
    "layout",
    "is_cuda",
    "is_sparse",
    "is_quantized",
    "grad_fn",
}
_OF_CONVOLUTION = ("bias", "stride", "padding", "dilation", "groups")
_OF_EMBEDDING = ("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
_SIZES = (torch.Tensor.dim, torch.Tensor.size, torch.Tensor.numel, torch.Tensor.is_floating_point, torch.Tensor.__len__)


@dataclass(frozen=True)
class Factors:
    """What an individual's weight has beside the one that all share: c A B^T.

    Attributes:
        weight: W, which all share.
        left: A, (rows, rank).
        right: B, (columns, rank).
        scale: c.
    """

    weight: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    scale: float

    def built(self) -> torch.Tensor:
        """Return the individual's weight."""
        return self.weight + (self.scale * (self.left @ self.right.T)).reshape(self.weight.shape)


class LowRankLayers(TorchFunctionMode):
    """Lets the layers of this thread compute with an individual's factors.

    Args:
        weights: The weights that all share, by name; one that is tied may be several objects.
        functions: What was proposed for each.
        drawn: For each the numbers of this individual, A's and then B's.
        apart: Is given the names of functions that run of one individual after the other, with built weights.
    """

    def __init__(
        self,
        weights: Mapping[str, tuple[torch.Tensor, ...]],
        functions: Mapping[str, AddLowRank],
        drawn: Mapping[str, torch.Tensor],
        apart: set[str],
    ) -> None:
        super().__init__()
        self._apart = apart
        self._factors: dict[int, Factors] = {}
        for name, function in functions.items():
            weight, numbers = weights[name][0], drawn[name]
            rows, _ = matrix_shape(tuple(weight.shape))
            left = numbers[: rows * function.rank].reshape(rows, function.rank)
            right = numbers[rows * function.rank :].reshape(-1, function.rank)
            scale = float(function.factor("float64" if weight.dtype == torch.float64 else "float32"))
            for same in weights[name]:
                self._factors[id(same)] = Factors(same, left, right, scale)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear:
            return self._linear(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return attention(*args, **kwargs)
        if func is F.multi_head_attention_forward:
            return self._attention_layer(*args, **kwargs)
        if getattr(func, "__name__", "") == "__get__" and getattr(func.__self__, "__name__", "") in _ABOUT:
            return func(*args, **kwargs)
        if func in _SIZES:
            return func(*args, **kwargs)
        if func in RECURRENT and not kwargs:
            self._apart.add(func.__name__)
            return in_turn(func, self._built(args))
        made = self._layer(func, args, kwargs)
        return func(*self._built(args), **self._built(kwargs)) if made is None else made

    def _layer(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor | None:
        """Return what a layer puts out, where it is known how; else None."""
        if func is F.embedding and len(args) > 1 and (one := self._of(args[1])):
            settings = {**dict(zip(_OF_EMBEDDING, args[2:], strict=False)), **kwargs}
            if settings.get("max_norm") is None:
                chosen = F.embedding(args[0], one.left) * one.scale
                return func(args[0], one.weight, **settings) + chosen @ one.right.T
        if func in _CONVOLUTIONS and len(args) > 1 and (one := self._of(args[1])):
            return _convolved(func, one, args, kwargs)
        if func is torch.addmm and len(args) == 3 and not kwargs and (one := self._of(args[2])) and args[0].dim() == 1:
            return _times(args[1], one, args[0])
        matmul = (torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.mm, torch.Tensor.__matmul__)
        if func in matmul and len(args) == 2 and (one := self._of(args[1])) and one.weight.dim() == 2:
            return _times(args[0], one) if args[0].dim() > 1 else None
        return None

    def _linear(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        one = self._of(weight)
        if one is None:
            return linear(x, weight, bias)
        return added(linear(x, weight), x, one.left, one.right, one.scale, bias)

    def _attention_layer(self, *args: Any, **kwargs: Any) -> Any:
        """Run torch's own code of an attention layer with our projections, where it multiplies by the whole weight."""
        query, key, value, _, _, weight = args[:6]
        if self._of(weight) is not None and not (query is key and key is value):  # it takes the weight apart
            args = (*args[:5], self._built(weight), *args[6:])
        kept = {"in_proj_weight", "out_proj_weight"}
        kwargs = {name: value if name in kept else self._built(value) for name, value in kwargs.items()}
        ours = {
            "linear": self._linear,
            "scaled_dot_product_attention": attention,
            "has_torch_function": _never,
        }
        packed = _with_names(F._in_projection_packed, ours)
        return _with_names(F.multi_head_attention_forward, {**ours, "_in_projection_packed": packed})(*args, **kwargs)

    def _of(self, weight: Any) -> Factors | None:
        found = self._factors.get(id(weight))
        return found if found is not None and found.weight is weight else None

    def _built(self, values: Any) -> Any:
        def one(leaf: Any) -> Any:
            found = self._of(leaf)
            return leaf if found is None else found.built()

        return tree_map(one, values)


def _never(tensors: Any) -> bool:
    return False


class _Added(torch.autograd.Function):
    """y + c (x B) A^T + bias, in as few passes over y as can be; y is the caller's to write into. No graph."""

    @staticmethod
    def forward(y: Any, x: Any, left: Any, right: Any, scale: float, bias: Any) -> torch.Tensor:
        made = y + scale * (x @ right) @ left.T
        return made if bias is None else made + bias

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: populations have no graph."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[torch.Tensor, int]:
        y, x, left, right, scale, bias = args
        at_y, at_x, at_left, at_right, _, at_bias = in_dims
        size = info.batch_size
        left, right = left.movedim(at_left, 0), right.movedim(at_right, 0)
        inner = _inner(x, at_x, right) * scale
        y = y[None] if at_y is None else y.movedim(at_y, 0)
        flat = y.reshape(len(y), -1, y.shape[-1])
        if left.shape[-1] == 1:
            made = torch.addcmul(flat, inner, left.transpose(1, 2), out=None if at_y is None else flat)
        else:
            made = torch.baddbmm(flat.expand(size, *flat.shape[1:]), inner, left.transpose(1, 2))
        if bias is not None:
            made += bias if at_bias is None else bias.movedim(at_bias, 0)[:, None]
        return made.reshape(size, *y.shape[1:]), 0


def _inner(x: torch.Tensor, at: int | None, right: torch.Tensor) -> torch.Tensor:
    """Return x B for all individuals, (individuals, samples, rank)."""
    size, columns, rank = right.shape
    if at is None:  # one product for all individuals
        flat = x.reshape(-1, columns)
        return (right.transpose(1, 2).reshape(size * rank, columns) @ flat.T).reshape(size, rank, -1).transpose(1, 2)
    flat = x.movedim(at, 0).reshape(size, -1, columns)
    if rank == 1:  # a batched product of one column takes several times as long
        return _vecdot(flat, right.transpose(1, 2))[..., None]
    return torch.bmm(flat, right)


def added(y: Any, x: Any, left: Any, right: Any, scale: float, bias: Any = None) -> torch.Tensor:
    """Return y + c (x B) A^T + bias, inside or outside of vmap; y may be written into."""
    return cast(Any, _Added).apply(y, x, left, right, scale, bias)


def _times(x: torch.Tensor, one: Factors, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return x (W + c A B^T) + bias, for a weight that is multiplied from the right."""
    return added(linear(x, one.weight.T), x, one.right, one.left, one.scale, bias)


def _convolved(func: Any, one: Factors, args: Any, kwargs: Any) -> torch.Tensor:
    """Convolve by the shared kernel, and by B's columns as kernels whose outputs A mixes."""
    settings = {**dict(zip(_OF_CONVOLUTION, args[2:], strict=False)), **kwargs}
    groups = settings.get("groups", 1)
    rank, window = one.left.shape[1], one.weight.shape[1:]
    base = func(args[0], one.weight, **settings)
    kernels = one.right.T.reshape(rank, *window).repeat(groups, *(1,) * len(window))
    inner = func(args[0], kernels, **{**settings, "bias": None})
    mixing = one.left.reshape(*one.left.shape, *(1,) * (len(window) - 1))
    return base + func(inner * one.scale, mixing, groups=groups)


def _with_names(function: Callable[..., Any], names: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the same code, to which some global names mean something else."""
    plain = cast(types.FunctionType, function)
    made = types.FunctionType(plain.__code__, {**plain.__globals__, **names}, plain.__name__, plain.__defaults__)
    made.__kwdefaults__ = plain.__kwdefaults__
    return made
