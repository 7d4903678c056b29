"""Keras 3 models, on TensorFlow, JAX or torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from genewright.apply import Companion, Store
from genewright.backends.backend import Backend, Witness
from genewright.backends.keras.copying import copy_model
from genewright.backends.keras.library import array_of, attributes_of, keras
from genewright.backends.keras.network import KerasNetwork
from genewright.backends.keras.predict import predict
from genewright.backends.keras.rebuilding import RECIPE
from genewright.backends.keras.saving import load_model, save_model
from genewright.backends.keras.store import KerasStore
from genewright.backends.keras.witness import witness


class KerasBackend(Backend):
    """Any built Keras model or layer: Functional, Sequential or subclassed."""

    name = "keras"

    def owns(self, model: object) -> bool:
        return isinstance(model, keras.layers.Layer)

    def network(self, model: Any, example: Any = None) -> KerasNetwork:
        return KerasNetwork(model, example)

    def store(self, model: Any, companion: Companion | None = None) -> Store:
        return KerasStore(model)

    def shell_store(self, model: Any) -> Store:
        return KerasStore(model, shell=True)

    def companion(self, model: Any, optimizer: Any) -> Companion:
        if optimizer is getattr(model, "optimizer", None):
            return Companion()  # it belongs to the model, and moves along with it
        return super().companion(model, optimizer)

    def witness(self, model: Any, example: Any) -> Witness:
        return witness(model, example)

    def copy(self, model: Any) -> Any:
        return copy_model(model)

    def recipe_text(self, model: Any) -> str | None:
        return cast("str | None", attributes_of(model).get(RECIPE))

    def set_recipe_text(self, model: Any, text: str) -> None:
        attributes_of(model)[RECIPE] = text

    def predict(self, model: Any, batch: Any) -> list[NDArray[Any]]:
        return predict(model, batch)

    def numeric(self, value: Any) -> NDArray[Any]:
        return array_of(value) if keras.ops.is_tensor(value) else super().numeric(value)

    def save(self, model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: bool) -> None:
        save_model(model, path, metadata, overwrite=overwrite)

    def load(self, model: Any, path: Path, *, reshape: bool = False) -> None:
        load_model(model, path, reshape=reshape)


BACKEND = KerasBackend()
