"""Where a layer's units lie in what it returns, and how a tensor is laid out for measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.facts import facts_of
from genewright.backends.torch.observing.chunk import Seen
from genewright.layer import CONVOLUTIONS
from genewright.observation import UnitKind

_CHANNELS_FIRST = (nn.modules.batchnorm._NormBase, nn.GroupNorm)  # pyright: ignore[reportPrivateUsage]  # no public base


def kind_of_units(module: nn.Module) -> UnitKind | None:
    """Return what a layer's units are, or None where it has none of its own."""
    kind = facts_of("", module, ()).kind
    if kind in CONVOLUTIONS:
        return "convolution"
    if kind == "embedding":
        return "embedding" if isinstance(module, nn.Embedding) else None
    return kind if kind in ("linear", "norm", "recurrent") else None


def unit_axis(module: nn.Module, kind: UnitKind, shape: tuple[int, ...]) -> int | None:
    """Return the axis of a layer's output along which its units lie; None where its shape does not tell."""
    if kind == "convolution" or isinstance(module, _CHANNELS_FIRST):
        return 1
    if kind != "norm" or type(module).forward in (nn.LayerNorm.forward, nn.RMSNorm.forward):
        return len(shape) - 1
    weight = module._parameters.get("weight")  # pyright: ignore[reportPrivateUsage]
    axes = [axis for axis, size in enumerate(shape) if axis and weight is not None and (size,) == tuple(weight.shape)]
    return axes[0] if len(axes) == 1 else None


@dataclass(frozen=True)
class Layout:
    """How a tensor holds the values of units.

    Attributes:
        unit_axis: Its axis of units.
        sample_axis: Its axis of samples; None where no axis is known to grow with the number of samples.
        heads: How many units stand along the unit axis where each is a vector; 0 where each is a number.
        order: Positions along the unit axis, unit by unit, where each is a vector; None where they lie so.
    """

    unit_axis: int
    sample_axis: int | None = None
    heads: int = 0
    order: torch.Tensor | None = field(default=None, compare=False)

    def seen(self, tensor: torch.Tensor, count: int, gradient: torch.Tensor | None = None) -> Seen:
        """Return the values of a batch of `count` samples."""
        size = None if self.sample_axis is None else tensor.shape[self.sample_axis]
        told = size is not None and count > 0 and size % count == 0
        values = self._arranged(tensor, count if told else 0)
        return Seen(
            values=values,
            unit_axis=1 if self._leads(tensor, told=told) else 2,
            gradient=None if gradient is None else self._arranged(gradient, count if told else 0),
            by_sample=told or count == 1,
        )

    def _leads(self, tensor: torch.Tensor, *, told: bool) -> bool:
        return told and self.sample_axis == 0 and self.unit_axis == 1 and tensor.dim() > 2 and not self.heads

    def _arranged(self, tensor: torch.Tensor, count: int) -> torch.Tensor:
        if self._leads(tensor, told=count > 0) and tensor.shape[0] == count:
            return tensor.flatten(2)
        at = self.unit_axis
        if not count or self.sample_axis is None:
            values = tensor.movedim(at, -1).flatten(0, -2)[None]
        else:
            units_last = tensor.movedim((self.sample_axis, at), (0, -1))
            values = units_last.reshape(count, -1, units_last.shape[-1])
            if self._leads(tensor, told=True):
                values = values.transpose(1, 2)
        if self.order is not None:
            values = values[..., self.order.to(values.device)]
        return values.reshape(*values.shape[:-1], self.heads, -1) if self.heads else values


def growing_axis(shapes: dict[int, tuple[int, ...]]) -> int | None:
    """Return the only axis that is as many times longer as there are more samples; None where that is not told.

    Args:
        shapes: A tensor's shape for each number of samples tried.

    >>> growing_axis({2: (7, 4, 5), 3: (7, 6, 5)})
    1
    """
    if len(shapes) < 2 or len({len(shape) for shape in shapes.values()}) > 1:
        return None
    (fewer, first), (more, second) = sorted(shapes.items())[:2]
    grown = [at for at, (a, b) in enumerate(zip(first, second, strict=True)) if a != b and a * more == b * fewer]
    others = [at for at, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    return grown[0] if len(grown) == 1 and others == grown else None


def packed(output: Any) -> bool:
    """Whether a recurrent layer returned sequences of different lengths, packed."""
    if isinstance(output, nn.utils.rnn.PackedSequence):
        return True
    return isinstance(output, tuple) and any(map(packed, cast("tuple[Any, ...]", output)[:1]))
