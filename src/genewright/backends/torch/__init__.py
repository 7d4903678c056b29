"""PyTorch modules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.backend import Backend
from genewright.backends.torch.copying import RECIPE, copy_module
from genewright.backends.torch.integrations import integrations
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.predict import array_of, predict
from genewright.backends.torch.saving import load_module, save_module
from genewright.backends.torch.store import TorchStore
from genewright.backends.torch.tensors import unwrapped
from genewright.backends.torch.training import Training
from genewright.backends.torch.witness import witness
from genewright.companion import Companion
from genewright.declaration import Declaration
from genewright.edits import Store
from genewright.journal import Journal
from genewright.network import Network
from genewright.witness import Witness


class TorchBackend(Backend):
    """Any `torch.nn.Module`, compiled ones included."""

    name = "torch"

    def owns(self, model: object) -> bool:
        return "torch" in sys.modules and isinstance(model, nn.Module)

    def network(self, model: nn.Module, example: Any = None) -> TorchNetwork:
        return TorchNetwork(model, example)

    def store(self, model: nn.Module, companion: Companion | None = None, network: Network | None = None) -> Store:
        training = companion if isinstance(companion, Training) else None
        return TorchStore(model, training, network if isinstance(network, TorchNetwork) else None)

    def companion(self, model: nn.Module, optimizer: Any) -> Companion:
        return Training(model, optimizer)

    def witness(self, model: nn.Module, example: Any) -> Witness:
        return witness(model, example)

    def declared(self, model: nn.Module, example: Any) -> Declaration:
        found = (integration.declared(model, example) for integration in integrations())
        return next((each for each in found if each.edits or each.note), Declaration())

    def copy(self, model: nn.Module) -> nn.Module:
        return copy_module(model)

    def history(self, model: nn.Module) -> tuple[str, ...]:
        return cast("tuple[str, ...]", unwrapped(model).__dict__.get(RECIPE, ()))

    def set_history(self, model: nn.Module, history: tuple[str, ...]) -> None:
        # A plain tuple of texts in the instance: deepcopy and pickle carry it, and unpickling needs no genewright.
        unwrapped(model).__dict__[RECIPE] = history

    def keep_history(self, model: nn.Module, journal: Journal) -> None:
        journal.keep(unwrapped(model).__dict__)

    def predict(self, model: nn.Module, batch: Any) -> list[NDArray[Any]]:
        return predict(model, batch)

    def numeric(self, value: Any) -> NDArray[Any]:
        return array_of(value) if isinstance(value, torch.Tensor) else super().numeric(value)

    def save(self, model: nn.Module, path: Path, metadata: Mapping[str, str], *, overwrite: bool) -> None:
        save_module(model, path, metadata, overwrite=overwrite)

    def load(self, model: nn.Module, path: Path) -> None:
        load_module(model, path)


BACKEND = TorchBackend()

__all__ = ["BACKEND", "TorchBackend", "torch"]
