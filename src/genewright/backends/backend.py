"""What a framework must give so that every operator works on its models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.companion import Companion
from genewright.declaration import Declaration
from genewright.edits import Store
from genewright.errors import UnsupportedError
from genewright.journal import Journal
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
    def store(self, model: Any, companion: Companion | None = None, network: Network | None = None) -> Store:
        """Return what gives the tensors' elements for writing.

        Args:
            model: The model.
            companion: Is told of what moves.
            network: A view of the model as it is now, where there is one already.
        """

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
    def history(self, model: Any) -> tuple[str, ...]:
        """Return the texts of the steps that `set_history` left on the model."""

    @abstractmethod
    def set_history(self, model: Any, history: tuple[str, ...]) -> None:
        """Leave texts on the model, in a way that copies and pickles carry."""

    @abstractmethod
    def keep_history(self, model: Any, journal: Journal) -> None:
        """Have a journal remember what `set_history` changes."""

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
    def load(self, model: Any, path: Path) -> None:
        """Read tensors that `save` wrote into a model of the same names and shapes; nothing changes if they do not fit.

        Args:
            model: The model.
            path: The file.
        """
