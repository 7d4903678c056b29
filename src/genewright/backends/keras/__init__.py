"""Keras 3 models, on TensorFlow, JAX or torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.backend import Backend
from genewright.backends.keras.copying import copy_model
from genewright.backends.keras.float64_outputs import exact_outputs
from genewright.backends.keras.gather_inputs import gather_inputs
from genewright.backends.keras.keep_zeros import keep_zeros
from genewright.backends.keras.library import array_of, attributes_of, keras
from genewright.backends.keras.network import KerasNetwork
from genewright.backends.keras.predict import predict
from genewright.backends.keras.rebuilding import RECIPE
from genewright.backends.keras.saving import load_model, save_model
from genewright.backends.keras.store import KerasStore
from genewright.companion import Companion
from genewright.edits import Store
from genewright.journal import Journal
from genewright.network import Network
from genewright.outputs import Outputs
from genewright.storage import Overwrite


class KerasBackend(Backend):
    """Any built Keras model or layer: Functional, Sequential or subclassed."""

    name = "keras"

    def owns(self, model: object) -> bool:
        return isinstance(model, keras.layers.Layer)

    def network(self, model: Any, example: Any = None) -> KerasNetwork:
        return KerasNetwork(model, example)

    def store(self, model: Any, companion: Companion | None = None, network: Network | None = None) -> Store:
        return KerasStore(model, network=network if isinstance(network, KerasNetwork) else None)

    def run(self, model: Any, batch: Any, *, exactly: bool = False) -> Outputs:
        return exact_outputs(model, batch) if exactly else Outputs(predict(model, batch), exact=False)

    def companion(self, model: Any, optimizer: Any = None) -> Companion:
        if optimizer is not None and optimizer is getattr(model, "optimizer", None):
            return Companion()  # it belongs to the model, and moves along with it
        return super().companion(model, optimizer)

    def copy(self, model: Any) -> Any:
        return copy_model(model)

    def history(self, model: Any) -> tuple[str, ...]:
        return cast("tuple[str, ...]", attributes_of(model).get(RECIPE, ()))

    def sign(self, model: Any, history: tuple[str, ...], journal: Journal | None = None) -> Any:
        held = attributes_of(model)
        if journal is not None:
            journal.keep(held)
        held[RECIPE] = history
        return model

    def gather_inputs(
        self, model: Any, example: Any, moves: Mapping[int, Sequence[tuple[int, NDArray[np.int64]]]]
    ) -> Any:
        return gather_inputs(model, example, moves)

    def keep_zeros(self, model: Any, masks: Mapping[str, NDArray[np.bool_]], optimizer: Any) -> Callable[[], None]:
        return keep_zeros(model, masks)

    def numeric(self, value: Any) -> NDArray[Any]:
        return array_of(value) if keras.ops.is_tensor(value) else super().numeric(value)

    def save(self, model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
        save_model(model, path, metadata, overwrite=overwrite)

    def load(self, model: Any, path: Path) -> Any:
        load_model(model, path)
        return model


BACKEND = KerasBackend()
