"""The devices that a forward pass is traced on: meta tensors, fake tensors, or the real ones; each is tried once.

Meta tensors have shapes and nothing else: a forward pass on them costs no arithmetic, no memory and a fifth of the time
of one on fake tensors. Fake ones also tell devices apart, which some forwards ask for. Where a forward looks at values
(`if mask.all()`), neither has any: it is then run on the tensors themselves.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch._subclasses import meta_utils
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map_only

from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.structure.function_caches import clear_shapes
from genewright.backends.torch.structure.plain_operations import plain_operations
from genewright.backends.torch.structure.traceable_copy import call_with, traceable_copy
from genewright.interrupts import checkpoint, shielded
from genewright.process_state import Here, StandIn, unheard, warnings_ignored

_LOG = logging.getLogger("torch._subclasses.fake_tensor")

Resized = Mapping[int, tuple[torch.Tensor, tuple[int, ...]]]
"""Tensors that get other shapes: by the `id` of each the tensor and its new shape."""


class TraceDevice(ABC):
    """The kind of tensor that a copy of the model runs on."""

    def copy_of(self, model: nn.Module, resized: Resized) -> nn.Module:
        """Return a copy of `model` on this device, some of its tensors resized."""

        def instead(tensor: torch.Tensor) -> torch.Tensor | None:
            if id(tensor) not in resized:
                return self.convert(tensor)
            new = self.resize(tensor, resized[id(tensor)][1])
            return _parameter(new, tensor) if isinstance(tensor, nn.Parameter) else new

        return traceable_copy(model, instead)

    @shielded
    def run(self, copied: nn.Module, example: Any, watch: AbstractContextManager[Any]) -> Any:
        """Return the outputs of the copy for what `example` returned, every operation seen by the mode `watch`."""
        checkpoint()
        try:
            with torch.no_grad(), self.modes(), watch, self.decomposed():
                return call_with(copied, example)
        finally:
            self.left_behind(copied)

    def left_behind(self, copied: nn.Module) -> None:
        """Take back what a run has left outside of the copy."""
        clear_shapes(copied)

    @abstractmethod
    def example(self, example: Any) -> Any:
        """Return the example on this device."""

    @abstractmethod
    def convert(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Return the tensor on this device; None lets it be copied."""

    @abstractmethod
    def resize(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Return a tensor on this device like `tensor`, with another shape."""

    @abstractmethod
    def modes(self) -> AbstractContextManager[None]:
        """Let factory calls in the forward (torch.zeros, ...) make tensors of this kind too."""

    def decomposed(self) -> AbstractContextManager[None]:
        """Decompose composite layers into the plain operations that the rules know."""
        return plain_operations()


class Meta(TraceDevice):
    """Shapes only."""

    def example(self, example: Any) -> Any:
        return tree_map_only(torch.Tensor, _shape_of, example)

    def convert(self, tensor: torch.Tensor) -> torch.Tensor | None:
        if type(tensor) not in (torch.Tensor, nn.Parameter):
            raise TypeError("what a tensor of another class does is not known of its shape")
        shape = _shape_of(tensor)
        return _parameter(shape, tensor) if isinstance(tensor, nn.Parameter) else shape

    def resize(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=tensor.dtype, device="meta")

    @contextmanager
    def modes(self) -> Generator[None]:
        with torch.device("meta"), _BatchNormShapes():
            yield

    def decomposed(self) -> AbstractContextManager[None]:
        return nullcontext()  # torch has no fused kernels for shapes


class _BatchNormShapes(OwnDraws):
    """Shape inference of batch norm: torch's own takes a hundred operations, a third of a run, and more in training."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.native_batch_norm.default:
            statistics = args[0].new_empty(args[0].shape[1] if args[5] else 0)  # of the batch, in training alone
            return torch.empty_like(args[0]), statistics, statistics.clone()
        return super().__torch_dispatch__(func, types, args, kwargs)


class Fake(TraceDevice):
    """Shapes and devices; the model's own tensors stand for themselves."""

    def __init__(self) -> None:
        self._fakes = _Fakes(allow_non_fake_inputs=True)

    def example(self, example: Any) -> Any:
        with _GRADIENTS.inside():
            return tree_map_only(torch.Tensor, self._fakes.from_tensor, example)

    def convert(self, tensor: torch.Tensor) -> torch.Tensor | None:
        return tensor

    @shielded
    def resize(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        with torch.no_grad(), self._fakes:
            return torch.empty(shape, dtype=tensor.dtype, device=tensor.device)

    @contextmanager
    def modes(self) -> Generator[None]:
        with unheard(_LOG), _GRADIENTS.inside(), self._fakes:  # a trial that fails is an answer, not a fault to print
            yield


def _gradients(torchs: Any, here: Here) -> Callable[[torch.Tensor], torch.Tensor | None]:
    """Return what reads a tensor's gradient for a fake one; torch's own replaces `warnings.showwarning` meanwhile."""

    def read(tensor: torch.Tensor) -> torch.Tensor | None:
        if not here:
            return torchs(tensor)
        with warnings_ignored():
            return tensor.grad

    return read


_GRADIENTS = StandIn(meta_utils, "safe_grad", _gradients)


class _Fakes(FakeTensorMode):
    """Fake tensors of the devices that this machine has: with others torch changes settings of the whole process."""

    avoid_device_init = False  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]


class Real(TraceDevice):
    """The values themselves: parameters are shared, for a forward pass only reads them; all else is copied."""

    def example(self, example: Any) -> Any:
        return tree_map_only(torch.Tensor, torch.clone, example)

    def convert(self, tensor: torch.Tensor) -> torch.Tensor | None:
        if isinstance(tensor, nn.Parameter):
            return tensor
        return None if tensor.is_leaf else tensor.detach().clone()

    def resize(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        # What stays keeps its values: where a forward chooses by values which layers run, it chooses as before.
        made = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
        common = tuple(slice(0, min(sizes)) for sizes in zip(shape, tensor.shape, strict=True))
        made[common] = tensor.detach()[common]
        return made

    def left_behind(self, copied: nn.Module) -> None:
        """Leave the caches of functions alone: what is there has values."""

    @contextmanager
    def modes(self) -> Generator[None]:
        with OwnDraws():
            yield


TRACE_DEVICES: tuple[type[TraceDevice], ...] = (Meta, Fake, Real)


def _shape_of(tensor: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.empty_strided(tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, device="meta")


def _parameter(data: torch.Tensor, like: torch.Tensor) -> nn.Parameter:
    made = nn.Parameter(data, requires_grad=like.requires_grad)
    for name, value in vars(like).items():
        setattr(made, name, value)
    return made
