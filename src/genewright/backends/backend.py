"""What a framework must give so that every operator works on its models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.apply import Companion, Store
from genewright.declaration import Declaration
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.witness import Witness


class Backend(ABC):
    """About ten primitives over the models of one framework."""

    name: str

    @abstractmethod
    def owns(self, model: object) -> bool:
        """Whether `model` is of this framework; imports nothing."""

    @abstractmethod
    def network(self, model: Any, example: Any = None) -> Network:
        """Return the read-only view of `model`; with an `example` input, it also has a `structure`.

        Raises:
            UnsupportedError: A tensor cannot be handled (lazy, meta, quantised); it is named.
        """

    @abstractmethod
    def store(self, model: Any, companion: Companion | None = None) -> Store:
        """Return what gives the tensors' elements for writing; `companion` is told of what moves."""

    def shell_store(self, model: Any) -> Store:
        """Return a store for changing layers before the weights are read: what a shape asks of values is let be."""
        return self.store(model)

    def companion(self, model: Any, optimizer: Any) -> Companion:
        """Return what keeps an optimizer in step with `model` while that is mutated in place.

        Raises:
            UnsupportedError: The optimizer is not one of this model.
        """
        raise UnsupportedError(
            f"optimizer= is for models that are trained in place; a {type(model).__name__} has no optimizer."
        )

    def witness(self, model: Any, example: Any) -> Witness:
        """Return the outputs of `model` as exactly as it can compute them; the model is as it was."""
        raise UnsupportedError(f"A {type(model).__name__} cannot be run, so it takes no example=.")

    def declared(self, model: Any, example: Any) -> Declaration:
        """Return what lets a model that describes itself in a config say what it has become."""
        return Declaration()

    @abstractmethod
    def copy(self, model: Any) -> Any:
        """Return an independent model of the same class with the same bytes."""

    @abstractmethod
    def recipe_text(self, model: Any) -> str | None:
        """Return the JSON that `set_recipe_text` left on the model."""

    @abstractmethod
    def set_recipe_text(self, model: Any, text: str) -> None:
        """Leave JSON on the model, in a way that copies and pickles carry."""

    @abstractmethod
    def predict(self, model: Any, batch: Any) -> list[NDArray[Any]]:
        """Return the outputs for one batch, in evaluation mode, as arrays with the batch first.

        The model's modes and the framework's random generators are as they were afterwards.
        """

    def numeric(self, value: Any) -> NDArray[Any]:
        """Return an array of the framework, such as a batch of targets, as a NumPy array."""
        return np.asarray(value)

    @abstractmethod
    def save(self, model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: bool) -> None:
        """Write the tensors and `metadata` to a file, atomically."""

    @abstractmethod
    def load(self, model: Any, path: Path, *, reshape: bool = False) -> None:
        """Read tensors that `save` wrote into a model of the same names and shapes; nothing changes if they do not fit.

        Args:
            model: The model.
            path: The file.
            reshape: Give tensors the shapes that they have in the file.
        """
