"""Writing the elements of a torch module's tensors; changing their shapes and the layers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from genewright.apply import Companion, Store, Undo
from genewright.backends.torch.blocks import gathered_elements, perturb_block
from genewright.backends.torch.device import perturb_on_device
from genewright.backends.torch.memory import elements_of
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.sharding import block_of, is_sharded
from genewright.backends.torch.tensors import Member, unwrapped
from genewright.backends.torch.training import Training
from genewright.backends.torch.tying import tie as tie  # registers the edit
from genewright.backends.torch.wrappers import refuse_wrapped
from genewright.edit import Perturb, Reindex, Structural
from genewright.network import Tensor


class TorchStore(Store):
    """The tensors of a torch module, for writing."""

    def __init__(self, model: nn.Module, companion: Companion | None = None) -> None:
        self._model = model
        self._companion = companion
        self._view: TorchNetwork | None = None

    def tensor(self, name: str) -> Tensor:
        return self._network().tensor(name)

    def elements(self, name: str) -> AbstractContextManager[NDArray[Any]]:
        tensor = self._member(name).tensor
        return gathered_elements(block_of(name, tensor)) if is_sharded(tensor) else elements_of(tensor)

    def perturb(self, edit: Perturb, *, journal: Callable[[Undo], object] | None) -> bool:
        tensor = self._member(edit.tensor).tensor
        if not is_sharded(tensor):
            return perturb_on_device(tensor, edit, journal=journal)
        perturb_block(block_of(edit.tensor, tensor), edit, journal=journal)
        return True

    def replace(self, name: str, values: NDArray[Any], moved: Reindex) -> Undo:
        refuse_wrapped(self._model)
        member = self._member(name)
        undos = [give_data(twin, _as_tensor(values, like=member.tensor)) for twin in member.same]
        if isinstance(self._companion, Training):
            undos += [undo for twin in member.same for undo in self._companion.gathered(twin, moved)]
        self._network().refresh(member)

        def undo() -> None:
            for back in reversed(undos):
                back()
            self._view = None

        return undo

    def restructure(self, edit: Structural) -> Undo:
        refuse_wrapped(self._model)
        back = restructure(edit, unwrapped(self._model))
        self._view = None

        def undo() -> None:
            back()
            self._view = None

        return undo

    def _network(self) -> TorchNetwork:
        """Return the view, made anew after layers have changed."""
        if self._view is None:
            self._view = TorchNetwork(self._model)
        return self._view

    def _member(self, name: str) -> Member:
        network = self._network()
        return network.members[network.tensor(name).name]


def give_data(tensor: torch.Tensor, data: torch.Tensor) -> Undo:
    """Give a tensor other data, of any shape: it stays the same object, and its gradient is dropped."""
    old, gradient = tensor.data, tensor.grad

    def undo() -> None:
        tensor.grad = None
        tensor.data = old
        tensor.grad = gradient

    tensor.grad = None
    tensor.data = data
    return undo


def _as_tensor(values: NDArray[Any], *, like: torch.Tensor) -> torch.Tensor:
    """Return elements as a tensor with the dtype, device and memory format of another."""
    made = torch.from_numpy(values.copy())  # pyright: ignore[reportUnknownMemberType]
    made = made.view(torch.bfloat16) if like.dtype == torch.bfloat16 else made
    for dims, memory_format in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        if like.dim() == dims and not like.is_contiguous() and like.is_contiguous(memory_format=memory_format):
            made = made.contiguous(memory_format=memory_format)
    return made.to(like.device)
