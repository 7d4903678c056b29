"""Writing the elements of a torch module's tensors; changing their shapes and the layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.device import perturb_elements, perturb_on_device, reachable
from genewright.backends.torch.memory import Elements, InPlace, elements_of
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.restructure.blueprint import new_layer
from genewright.backends.torch.shard_updates import gathered_elements, perturb_shard
from genewright.backends.torch.sharding import LocalShard, is_sharded, local_shard
from genewright.backends.torch.tensors import Member, unwrapped
from genewright.backends.torch.tying import tie as tie  # registers the edit
from genewright.backends.torch.wrappers import refuse_wrapped
from genewright.companion import Companion
from genewright.edits import ContinueBuffer, Edit, InsertLayer, Memory, ReplaceLayer, Rewire, Store
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.noise import Change, Stream, WeightedSum
from genewright.part import Part
from genewright.tensor import Tensor

Add = Callable[[Callable[[], None]], None]

_OTHER = {torch.float32: torch.float64, torch.complex64: torch.complex128, torch.complex128: torch.complex64}
"""A dtype that another one can give way to for a moment; all others: float32."""


class TorchMemory(Memory):
    """A torch tensor's elements, in main memory or on a device."""

    def __init__(self, tensor: Tensor, held: torch.Tensor, in_place: InPlace | None = None) -> None:
        self.tensor = tensor
        self._in_place = in_place
        # the same memory, also after the parameter has been given another
        self._held = held.detach() if in_place is None else in_place.tensor

    def open(self) -> Elements:
        return elements_of(self._held) if self._in_place is None else self._in_place

    def on_device(self) -> Any | None:
        return None if self._held.device.type == "cpu" else self._held

    def perturb(self, change: Change | WeightedSum, stream: Stream, part: Part, journal: Add | None) -> bool:
        if not reachable(self._held) or self._held.is_complex():
            return False  # in main memory, where a complex element's parts are numbers of their own
        return perturb_on_device(self._held, change, stream, part, journal)

    def perturb_at(self, change: Change, stream: Stream, elements: NDArray[np.int64], journal: Add | None) -> bool:
        if self._held.is_complex() or self._held.device.type == "cpu":
            return False
        perturb_elements(self._held, change, stream, elements, journal)
        return True


class ShardedMemory(Memory):
    """The elements of a sharded tensor, of which this process holds a block."""

    def __init__(self, tensor: Tensor, block: LocalShard) -> None:
        self.tensor = tensor
        self._block = block

    def open(self) -> Elements:
        return gathered_elements(self._block)

    def snapshot(self) -> Callable[[], None]:
        held = self._block.local.detach()
        old = held.clone()
        return lambda: _filled(held, old)

    def perturb(self, change: Change | WeightedSum, stream: Stream, part: Part, journal: Add | None) -> bool:
        perturb_shard(self._block, change, stream, part, journal)
        return True


class TorchStore(Store):
    """The tensors of a torch module, for writing.

    Args:
        model: The module.
        companion: What moves as its tensors move.
        network: A view of the module as it is now, where there is one already.
    """

    def __init__(
        self, model: nn.Module, companion: Companion | None = None, network: TorchNetwork | None = None
    ) -> None:
        self._model = model
        self._companion = companion or Companion()
        self._view = network

    def memory(self, name: str) -> Memory:
        network = self._view or self._network()
        tensor = network.tensors.get(name) or network.tensor(name)
        held, in_place = network.members[tensor.name].tensor, network.in_place(tensor.name)
        if in_place is None and is_sharded(held):
            return ShardedMemory(tensor, local_shard(name, held))
        return TorchMemory(tensor, held, in_place)

    def resize(self, name: str, axis: int, index: NDArray[Any]) -> None:
        refuse_wrapped(self._model)
        journal = self.journal or Journal()
        member = self._member(name)
        moved = _gathered(member.tensor, axis, index)
        for twin in member.same:
            give_data(twin, moved, journal)
            self._companion.gathered(name, twin, axis, index, journal)
        self._network().refresh(member)

    def forget(self, name: str, part: Part) -> None:
        for twin in self._member(name).same:
            self._companion.forgotten(name, twin, part, self.journal or Journal())

    def restructure(self, edit: Edit) -> None:
        refuse_wrapped(self._model)
        if self.limit is not None and isinstance(edit, InsertLayer | ReplaceLayer | Rewire):
            new_layer(edit, unwrapped(self._model), self.limit)  # refuses what is too large, before it is made
        if self.limit is not None and isinstance(edit, ContinueBuffer) and 8 * edit.new**2 > self.limit:
            raise UnsupportedError(
                f"The recipe asks for masks of {edit.new} positions, and tensors of {self.limit:,} bytes are allowed "
                "for this base. Nothing has been changed."
            )
        self._view = None
        restructure(edit, unwrapped(self._model), self.journal or Journal())

    def finish(self) -> nn.Module:
        return self._model

    def _network(self) -> TorchNetwork:
        """Return the view, made anew after layers have changed."""
        if self._view is None:
            self._view = TorchNetwork(self._model)
        return self._view

    def _member(self, name: str) -> Member:
        network = self._network()
        return network.members[network.tensor(name).name]


def _filled(held: torch.Tensor, old: torch.Tensor) -> None:
    with torch.no_grad():
        held.copy_(old)


def give_data(tensor: torch.Tensor, data: torch.Tensor, journal: Journal) -> None:
    """Give a tensor other data, of any shape: it stays the same object, and its gradient is dropped.

    A graph that is still alive, such as that of the last `loss` of a training loop, does not see the new shape: its
    backward pass raises torch's error about a tensor that was modified, and later graphs start anew.
    """
    old, gradient = tensor.data, tensor.grad

    def restore() -> None:
        tensor.grad = None
        _replace(tensor, old)
        tensor.grad = gradient

    journal.keep_by(tensor, restore)
    tensor.grad = None
    _replace(tensor, data)


def _replace(tensor: torch.Tensor, data: torch.Tensor) -> None:
    """Let a tensor hold `data`, and let go of the node that accumulates its gradient.

    As long as a graph lives, torch keeps that node, which knows the old shape, and gives it to every new graph. It
    makes another one only where the dtype or the device has changed: so another dtype is set in between.
    """
    if tensor.requires_grad and tensor.shape != data.shape:
        tensor.data = torch.empty(0, dtype=_OTHER.get(data.dtype, torch.float32), device=data.device)
    tensor.data = data
    if not tensor.is_inference():
        torch.autograd.graph.increment_version(tensor)


def _gathered(tensor: torch.Tensor, axis: int, index: NDArray[Any]) -> torch.Tensor:
    """Return the elements gathered along an axis, on the tensor's device and in its memory format."""
    with torch.no_grad():
        places = torch.tensor(index, device=tensor.device)
        moved = tensor.detach().index_select(axis, places.clamp(min=0))
        moved[(slice(None),) * axis + (places < 0,)] = 0
    for dims, memory_format in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        if tensor.dim() == dims and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=memory_format):
            return moved.contiguous(memory_format=memory_format)
    return moved.contiguous()
