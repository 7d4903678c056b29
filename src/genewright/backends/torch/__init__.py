"""PyTorch modules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.backend import Backend
from genewright.backends.torch.copying import RECIPE, copy_module
from genewright.backends.torch.float64_outputs import exact_outputs
from genewright.backends.torch.keep_zeros import keep_zeros
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.predict import array_of, predict
from genewright.backends.torch.reruns import TorchRerun
from genewright.backends.torch.saving import load_module, save_module
from genewright.backends.torch.store import TorchStore
from genewright.backends.torch.structure.gather_inputs import gather_inputs
from genewright.backends.torch.structure.other_runs import elsewhere, failures
from genewright.backends.torch.tensors import unwrapped
from genewright.backends.torch.training import Described, Training
from genewright.companion import Companion
from genewright.edits import Store
from genewright.journal import Journal
from genewright.network import Network
from genewright.other_runs import OtherRun
from genewright.outputs import Outputs
from genewright.storage import Overwrite


class TorchBackend(Backend):
    """Any `torch.nn.Module`, compiled ones included."""

    name = "torch"

    def owns(self, model: object) -> bool:
        return "torch" in sys.modules and isinstance(model, nn.Module)

    def network(self, model: nn.Module, example: Any = None) -> TorchNetwork:
        return TorchNetwork(model, example)

    def store(self, model: nn.Module, companion: Companion | None = None, network: Network | None = None) -> Store:
        return TorchStore(model, companion, network if isinstance(network, TorchNetwork) else None)

    def run(self, model: nn.Module, batch: Any, *, exactly: bool = False) -> Outputs:
        return exact_outputs(model, batch) if exactly else Outputs(predict(model, batch), exact=False)

    def other_runs(self, model: nn.Module, example: Any) -> tuple[OtherRun, ...]:
        return elsewhere(unwrapped(model), example).runs

    def failures(self, model: nn.Module, runs: Sequence[OtherRun], *, alike: bool) -> list[str]:
        return failures(unwrapped(model), runs, alike=alike)

    def rerun(self, model: nn.Module) -> TorchRerun:
        return TorchRerun(model)

    def companion(self, model: nn.Module, optimizer: Any = None) -> Companion:
        return Described() if optimizer is None else Training(model, optimizer)

    def copy(self, model: nn.Module) -> nn.Module:
        return copy_module(model)

    def history(self, model: nn.Module) -> tuple[str, ...]:
        return cast("tuple[str, ...]", unwrapped(model).__dict__.get(RECIPE, ()))

    def sign(self, model: nn.Module, history: tuple[str, ...], journal: Journal | None = None) -> nn.Module:
        # A plain tuple of texts in the instance: deepcopy and pickle carry it, and unpickling needs no genewright.
        held = unwrapped(model).__dict__
        if journal is not None:
            journal.keep(held)
        held[RECIPE] = history
        return model

    def gather_inputs(
        self, model: nn.Module, example: Any, moves: Mapping[int, Sequence[tuple[int, NDArray[np.int64]]]]
    ) -> Any:
        return gather_inputs(example, moves)

    def keep_zeros(
        self, model: nn.Module, masks: Mapping[str, NDArray[np.bool_]], optimizer: Any
    ) -> Callable[[], None]:
        return keep_zeros(model, masks, optimizer)

    def numeric(self, value: Any) -> NDArray[Any]:
        return array_of(value) if isinstance(value, torch.Tensor) else super().numeric(value)

    def save(self, model: nn.Module, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
        save_module(model, path, metadata, overwrite=overwrite)

    def load(self, model: nn.Module, path: Path) -> nn.Module:
        load_module(model, path)
        return model


BACKEND = TorchBackend()

__all__ = ["BACKEND", "TorchBackend", "torch"]
