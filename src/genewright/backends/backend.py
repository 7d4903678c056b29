"""What a framework must give so that every operator works on its models."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from genewright.companion import Companion
from genewright.edits import Store
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.network import Network
from genewright.other_runs import OtherRun
from genewright.outputs import Outputs
from genewright.rerun import Rerun, WholeRerun
from genewright.storage import Overwrite

ENTRY_POINTS = "genewright.backends"


class Backend(ABC):
    """The primitives over the models of one framework.

    Eleven stand here and four in the `Store` that writes; what is read comes through the `Network` that `network`
    returns. `gw.check_backend` holds them to their laws. An entry point of the group ``genewright.backends`` makes a
    backend known, under the name of the module whose import brings the framework: ``jax = "my_package:BACKEND"``.
    """

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

    @abstractmethod
    def run(self, model: Any, batch: Any, *, exactly: bool = False) -> Outputs:
        """Return the outputs for one batch, in evaluation mode, as arrays with the batch first.

        The model, its modes and the framework's random generators are as they were afterwards.

        Args:
            model: The model.
            batch: A tensor or array, a tuple of positional or a dict of keyword arguments.
            exactly: Compute in float64, on a copy, as far as the model allows; the result says whether it did.

        Raises:
            UnsupportedError: The batch does not run, where that is asked exactly; or the model cannot be run at all.
        """

    @abstractmethod
    def copy(self, model: Any) -> Any:
        """Return an independent model of the same class with the same bytes."""

    @abstractmethod
    def history(self, model: Any) -> tuple[str, ...]:
        """Return the texts of the steps that `sign` left on the model."""

    @abstractmethod
    def sign(self, model: Any, history: tuple[str, ...], journal: Journal | None = None) -> Any:
        """Leave texts on the model, in a way that copies and pickles carry, and return it.

        Args:
            model: The model.
            history: The texts.
            journal: Remembers what changes; None where nothing will be taken back.

        Returns:
            The model, or where that cannot change, one that has the texts.
        """

    @abstractmethod
    def save(self, model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
        """Write the tensors and `metadata` to a file, atomically."""

    @abstractmethod
    def load(self, model: Any, path: Path) -> Any:
        """Read tensors that `save` wrote into a model of the same names and shapes; nothing changes if they do not fit.

        Args:
            model: The model.
            path: The file.

        Returns:
            The model, or where that cannot change, one with the tensors.
        """

    def companion(self, model: Any, optimizer: Any = None) -> Companion:
        """Return what moves along with `model` while that is mutated: its own description of itself, and an optimizer.

        Raises:
            UnsupportedError: The optimizer is not one of this model.
        """
        if optimizer is None:
            return Companion()
        raise UnsupportedError(
            f"optimizer= is for models that are trained in place; a {type(model).__name__} has no optimizer."
        )

    def numeric(self, value: Any) -> NDArray[Any]:
        """Return an array of the framework, such as a batch of targets, as a NumPy array."""
        return np.asarray(value)

    def gather_inputs(
        self, model: Any, example: Any, moves: Mapping[int, Sequence[tuple[int, NDArray[np.int64]]]]
    ) -> Any:
        """Return an example with some of its tensors gathered along axes, as a model takes whose inputs have changed.

        Args:
            model: The model.
            example: What it took; it stays as it is.
            moves: For a tensor, by its number in the example, pairs of an axis and an index: new[i] = old[index[i]],
                and zero where that is -1.

        Raises:
            UnsupportedError: Inputs of models of this framework do not change.
        """
        raise UnsupportedError("The inputs of this kind of model cannot change.")

    def keep_zeros(self, model: Any, masks: Mapping[str, NDArray[np.bool_]], optimizer: Any) -> Callable[[], None]:
        """Let masked elements be zero after every step of training, for `gw.keep_zeros`; return what ends it.

        Args:
            model: The model.
            masks: For each tensor, by its name, which elements are zero now.
            optimizer: What trains it, where that has to be told.

        Raises:
            UnsupportedError: Models of this framework are not trained, or need an optimizer.
        """
        raise UnsupportedError(f"A {type(model).__name__} is not trained: its zeros need no keeping.")

    def other_runs(self, model: Any, example: Any) -> tuple[OtherRun, ...]:
        """Return how the model runs beyond the example: on other batches and lengths, and in training."""
        return ()

    def failures(self, model: Any, runs: Sequence[OtherRun], *, alike: bool) -> list[str]:
        """Return for each of some other runs why a mutant does not do there what its original does; "" where it does.

        Args:
            model: The mutant.
            runs: The runs.
            alike: Its outputs have the shapes of the original's.
        """
        return [""] * len(runs)

    def rerun(self, model: Any) -> Rerun:
        """Return what runs a model again and again, as some of its tensors change and change back."""
        return WholeRerun(functools.partial(self.predict, model))

    @final
    def predict(self, model: Any, batch: Any) -> list[NDArray[Any]]:
        """Return the outputs for one batch, as `run` does."""
        return self.run(model, batch).tensors

    @final
    def exact_outputs(self, model: Any, example: Any) -> Outputs:
        """Return the outputs of `model` as exactly as it can compute them, as `run` does."""
        return self.run(model, example, exactly=True)
