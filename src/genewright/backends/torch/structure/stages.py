"""Where a shadow runs: on meta tensors, on fake ones, or for real, once each.

Meta tensors have shapes and nothing else: a forward pass on them costs no arithmetic, no memory and a fifth of the time
of one on fake tensors. Fake ones also tell devices apart, which some forwards ask for. Where a forward looks at values
(`if mask.all()`), neither has any: it is then run on the tensors themselves.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map_only

from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.structure.plain_operations import plain_operations
from genewright.backends.torch.structure.shadow import call_with, shadow_of
from genewright.interrupts import checkpoint, shielded
from genewright.process_state import unheard

_LOG = logging.getLogger("torch._subclasses.fake_tensor")

Resized = Mapping[int, tuple[torch.Tensor, tuple[int, ...]]]
"""Tensors that get other shapes: by the `id` of each the tensor and its new shape."""


class Stage(ABC):
    """A kind of tensor to run a shadow on."""

    def shadow(self, model: nn.Module, resized: Resized) -> nn.Module:
        """Return a shadow of `model` around this stage's tensors, some of them in other shapes."""

        def instead(tensor: torch.Tensor) -> torch.Tensor | None:
            if id(tensor) not in resized:
                return self.same(tensor)
            new = self.made(tensor, resized[id(tensor)][1])
            return _parameter(new, tensor) if isinstance(tensor, nn.Parameter) else new

        return shadow_of(model, instead)

    @shielded
    def run(self, shadow: nn.Module, example: Any, watch: AbstractContextManager[Any]) -> Any:
        """Return what the shadow puts out for what `example` returned, with every operation under `watch`."""
        checkpoint()
        with torch.no_grad(), self.modes(), watch, self.taken_apart():
            return call_with(shadow, example)

    @abstractmethod
    def example(self, example: Any) -> Any:
        """Return the example with this stage's tensors."""

    @abstractmethod
    def same(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Return what stands in for a tensor of the model; None lets it be copied."""

    @abstractmethod
    def made(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Return what stands in for a tensor of the model that has another shape."""

    @abstractmethod
    def modes(self) -> AbstractContextManager[None]:
        """Let what the forward makes itself be of this kind too."""

    def taken_apart(self) -> AbstractContextManager[None]:
        """Let composite layers run as the plain operations that the rules know."""
        return plain_operations()


class Meta(Stage):
    """Shapes only."""

    def example(self, example: Any) -> Any:
        return tree_map_only(torch.Tensor, _shape_of, example)

    def same(self, tensor: torch.Tensor) -> torch.Tensor | None:
        if type(tensor) not in (torch.Tensor, nn.Parameter):
            raise TypeError("what a tensor of another class does is not known of its shape")
        shape = _shape_of(tensor)
        return _parameter(shape, tensor) if isinstance(tensor, nn.Parameter) else shape

    def made(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=tensor.dtype, device="meta")

    @contextmanager
    def modes(self) -> Generator[None]:
        with torch.device("meta"), _NormsAtOnce():
            yield

    def taken_apart(self) -> AbstractContextManager[None]:
        return nullcontext()  # torch has no fused kernels for shapes


class _NormsAtOnce(OwnDraws):
    """Says the shapes of a batch norm in evaluation; torch works them out in a hundred steps, for a third of a run."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.native_batch_norm.default and not args[5]:
            nothing = args[0].new_empty(0)  # no statistics of a batch
            return torch.empty_like(args[0]), nothing, nothing.clone()
        return super().__torch_dispatch__(func, types, args, kwargs)


class Fake(Stage):
    """Shapes and devices; the model's own tensors stand for themselves."""

    def __init__(self) -> None:
        self._fakes = _Fakes(allow_non_fake_inputs=True)

    def example(self, example: Any) -> Any:
        return tree_map_only(torch.Tensor, self._fakes.from_tensor, example)

    def same(self, tensor: torch.Tensor) -> torch.Tensor | None:
        return tensor

    @shielded
    def made(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        with torch.no_grad(), self._fakes:
            return torch.empty(shape, dtype=tensor.dtype, device=tensor.device)

    @contextmanager
    def modes(self) -> Generator[None]:
        with unheard(_LOG), self._fakes:  # a trial that fails is an answer, not a fault to print
            yield


class _Fakes(FakeTensorMode):
    """Fake tensors of the devices that this machine has: with others torch changes settings of the whole process."""

    avoid_device_init = False  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]


class Real(Stage):
    """The values themselves: parameters are shared, for a forward pass only reads them; all else is copied."""

    def example(self, example: Any) -> Any:
        return tree_map_only(torch.Tensor, torch.clone, example)

    def same(self, tensor: torch.Tensor) -> torch.Tensor | None:
        if isinstance(tensor, nn.Parameter):
            return tensor
        return None if tensor.is_leaf else tensor.detach().clone()

    def made(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)

    @contextmanager
    def modes(self) -> Generator[None]:
        with OwnDraws():
            yield


STAGES: tuple[type[Stage], ...] = (Meta, Fake, Real)


def _shape_of(tensor: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.empty_strided(tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, device="meta")


def _parameter(data: torch.Tensor, like: torch.Tensor) -> nn.Parameter:
    made = nn.Parameter(data, requires_grad=like.requires_grad)
    for name, value in vars(like).items():
        setattr(made, name, value)
    return made
