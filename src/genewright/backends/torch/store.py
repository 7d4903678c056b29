"""Writing the elements of torch tensors, wherever and however they lie in memory; changing their shapes and layers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from genewright.apply import Companion, Store, Undo
from genewright.backends.torch.device import perturb_on_device
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.optimizers import OptimizerState
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.tensors import Member, unwrapped
from genewright.backends.torch.tying import tie as tie  # registers the edit
from genewright.backends.torch.wrappers import refuse_wrapped
from genewright.edit import Perturb, Reindex, Structural
from genewright.network import Tensor


class TorchStore(Store):
    """The tensors of a torch module, for writing.

    A contiguous tensor in main memory is handed out as it is; any other (channels_last, transposed, on a GPU) as a
    copy in row-major order that is written back into the same memory.
    """

    def __init__(self, model: nn.Module, companion: Companion | None = None) -> None:
        self._model = model
        self._companion = companion
        self._view: TorchNetwork | None = None

    def tensor(self, name: str) -> Tensor:
        return self._network().tensor(name)

    @contextmanager
    def elements(self, name: str) -> Generator[NDArray[Any]]:
        tensor = self._member(name).tensor.detach()
        flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        yield _as_numpy(flat)
        with torch.no_grad():
            if flat.numel() and flat.data_ptr() != tensor.data_ptr():
                tensor.copy_(flat.reshape(tensor.shape))
            elif not tensor.is_inference():
                # The bytes changed behind autograd's back: tell it, so that a stale graph is an error.
                torch.autograd.graph.increment_version(tensor)

    def perturb(self, edit: Perturb, *, keep: bool) -> Undo | None:
        return perturb_on_device(self._member(edit.tensor).tensor, edit, keep=keep)

    def replace(self, name: str, values: NDArray[Any], moved: Reindex) -> Undo:
        refuse_wrapped(self._model)
        member = self._member(name)
        undos = [give_data(twin, _as_tensor(values, like=member.tensor)) for twin in member.same]
        if isinstance(self._companion, OptimizerState):
            undos += [self._companion.gathered(twin, moved) for twin in member.same]
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


def _as_numpy(flat: torch.Tensor) -> NDArray[Any]:
    if flat.dtype == torch.bfloat16:
        return flat.view(torch.uint16).numpy()
    return flat.numpy()


def _as_tensor(values: NDArray[Any], *, like: torch.Tensor) -> torch.Tensor:
    """Return elements as a tensor with the dtype, device and memory format of another."""
    made = torch.from_numpy(values.copy())  # pyright: ignore[reportUnknownMemberType]
    made = made.view(torch.bfloat16) if like.dtype == torch.bfloat16 else made
    for dims, memory_format in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        if like.dim() == dims and not like.is_contiguous() and like.is_contiguous(memory_format=memory_format):
            made = made.contiguous(memory_format=memory_format)
    return made.to(like.device)
