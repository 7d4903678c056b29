"""Experts whose kernels lie one after the other in one tensor: what each puts out for the rows that it is dealt.

Libraries compute them in three ways: one expert at a time (``x[rows] @ kernels[expert]``), every row with its own
kernel (``bmm(kernels[experts], x)``), or rows sorted by expert in one call (``grouped_mm(x, kernels, offs)``). The
product that comes last in a call of the layer is what its experts put out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

_PRODUCTS = frozenset({"linear", "matmul", "rmatmul", "mm", "bmm", "grouped_mm"})
_PICKS = frozenset({"getitem", "select", "index_select"})
_TURNS = frozenset({"get", "t", "transpose", "permute", "contiguous", "clone", "to", "type_as", "float", "double"})


def experts_in(module: nn.Module) -> int:
    """Return how many experts a layer's own kernels may be of: the first length of all; 0 where there are none."""
    own = [p for p in module._parameters.values() if p is not None and p.dim() > 2]  # pyright: ignore[reportPrivateUsage]
    counts = {p.shape[0] for p in own}
    return counts.pop() if len(own) > 1 and len(counts) == 1 and min(counts) > 1 else 0


@dataclass(frozen=True)
class _Kernels:
    """Kernels of some experts: those of all in order where `experts` is None, else of one or one a row."""

    parameter: int
    experts: torch.Tensor | None = None


@dataclass(frozen=True)
class _Dealt:
    """Rows of a product, each with its expert's number and its Euclidean norm."""

    experts: torch.Tensor
    norms: torch.Tensor


class Dealing:
    """What rows are dealt to which expert while a model runs.

    Args:
        parameters: For each kernel of experts, by id: the layer that holds it, and how many experts.
    """

    def __init__(self, parameters: Mapping[int, tuple[str, int]]) -> None:
        self._parameters = parameters
        self._picked: Any = WeakIdKeyDictionary()
        self._dealt: dict[str, dict[int, list[_Dealt]]] = {}
        self._last: dict[str, int] = {}

    def saw(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Take note of a function of torch that has been called."""
        if not isinstance(result, torch.Tensor):
            return
        given = [value for value in args if isinstance(value, torch.Tensor)]
        found = [(tensor, held) for tensor in given if (held := self._kernels(tensor)) is not None]
        if not found:
            return
        tensor, held = found[0]
        if name in _PICKS and tensor is given[0] and held.experts is None:
            chosen = _chosen(name, args)
            if chosen is not None:
                self._picked[result] = _Kernels(held.parameter, chosen)
        elif name in _TURNS and result.dim() == tensor.dim() and (held.experts is not None or _leads(tensor, result)):
            self._picked[result] = held
        elif name in _PRODUCTS and len(given) > 1:
            self._multiplied(held, args, kwargs, result)

    def taken(self, layer: str, rows: int) -> torch.Tensor | None:
        """Return the norms of what experts put out in the layer's call that ends, and forget them.

        Returns:
            Of shape (rows, experts), 0 where an expert is not dealt a row; which row is which is not kept. None where
            no product with an expert's kernel was seen, or there were more than `rows` for one.
        """
        dealt, last = self._dealt.pop(layer, {}), self._last.pop(layer, None)
        if last is None:
            return None
        experts = torch.cat([each.experts for each in dealt[last]])
        norms = torch.cat([each.norms for each in dealt[last]])
        count = self._parameters[last][1]
        real = experts < count  # others stand for rows that are nobody's here
        order = torch.argsort(experts[real], stable=True)
        experts, norms = experts[real][order], norms[real][order]
        often = torch.bincount(experts, minlength=count)
        if int(often.max()) > rows:
            return None
        at = torch.arange(len(experts), device=experts.device) - (often.cumsum(0) - often)[experts]
        values = norms.new_zeros(rows, count)
        values[at, experts] = norms
        return values

    def _kernels(self, tensor: torch.Tensor) -> _Kernels | None:
        if id(tensor) in self._parameters:
            return _Kernels(id(tensor))
        return cast("_Kernels | None", self._picked.get(tensor))

    def _multiplied(
        self, held: _Kernels, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: torch.Tensor
    ) -> None:
        layer, count = self._parameters[held.parameter]
        with torch.no_grad():
            values = result.detach().double()
            if held.experts is None:
                ends = kwargs.get("offs", args[2] if len(args) > 2 else None)
                if isinstance(ends, torch.Tensor) and ends.shape == (count,):
                    often = torch.diff(ends.long(), prepend=ends.new_zeros(1).long())
                    values = values[: int(ends[-1])]
                elif values.dim() == 3 and len(values) == count:  # as many places for each expert
                    often = torch.full((count,), values.shape[1])
                    values = values.flatten(0, 1)
                else:
                    return
                experts = torch.repeat_interleave(torch.arange(count, device=often.device), often)
            elif held.experts.dim():
                experts, values = held.experts, values.reshape(len(held.experts), -1)
            else:
                values = values.reshape(-1, values.shape[-1])
                experts = held.experts.expand(len(values))
            norms = values.square().sum(-1).sqrt()
        dealt = _Dealt(experts.to(norms.device, torch.int64), norms)
        self._dealt.setdefault(layer, {}).setdefault(held.parameter, []).append(dealt)
        self._last[layer] = held.parameter


def _leads(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether the first axis stayed where it was."""
    return before.shape[0] == after.shape[0] and before.stride(0) == after.stride(0)


def _chosen(name: str, args: tuple[Any, ...]) -> torch.Tensor | None:
    """Return the numbers of the experts that are picked along the first axis; None where it is another axis."""
    axis, index = (0, args[1]) if name == "getitem" else (args[1:3] if len(args) > 2 else (None, None))
    if axis != 0 or isinstance(index, bool):
        return None
    if isinstance(index, int):
        return torch.tensor(index)
    whole = isinstance(index, torch.Tensor) and not index.is_floating_point() and index.dtype != torch.bool
    return index if whole and cast(torch.Tensor, index).dim() < 2 else None
