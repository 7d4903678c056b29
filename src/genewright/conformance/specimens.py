"""The networks that operators are checked on, and what can be asked of each."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from abc import ABC, abstractmethod
from typing import Any, cast

from genewright.backends import backend_of
from genewright.backends.files.checkpoint import Checkpoint


class Specimen(ABC):
    """A model that is only copied, and what a framework knows of it beyond the network view."""

    def __init__(self, name: str, model: Any, example: Any = None) -> None:
        self.name = name
        self.model = model
        self.example = example

    @abstractmethod
    def fresh(self) -> Any:
        """Return an independent model with the same bytes."""

    @abstractmethod
    def traits(self, model: Any) -> dict[str, object]:
        """Return what a mutation keeps besides the bytes: dtypes, layouts, ties, modes, hooks, by name."""

    @abstractmethod
    def content(self, model: Any) -> dict[str, bytes]:
        """Return the bytes of every tensor that has some, whether it is supported or not."""

    @abstractmethod
    def places(self, model: Any) -> dict[str, object]:
        """Return which objects and memory the tensors are."""

    @abstractmethod
    def reordered(self, model: Any, *, runs: bool) -> Any:
        """Return `model` with its tensors listed in reverse, as far as it still `runs` where that is asked."""

    def doubled(self) -> Any:
        """Return a copy in float64, or None where that has no meaning."""
        return None


class CheckpointSpecimen(Specimen):
    """A checkpoint."""

    def fresh(self) -> Any:
        return backend_of(self.model).copy(self.model)

    def traits(self, model: Checkpoint) -> dict[str, object]:
        tied = {
            name: tuple(other for other, e in model.entries.items() if e.data is entry.data)
            for name, entry in model.entries.items()
        }
        return {name: (entry.dtype, entry.shape, tied[name]) for name, entry in model.entries.items()}

    def content(self, model: Checkpoint) -> dict[str, bytes]:
        return {name: entry.data.tobytes() for name, entry in model.entries.items()}

    def places(self, model: Checkpoint) -> dict[str, object]:
        return {name: id(entry.data) for name, entry in model.entries.items()}

    def reordered(self, model: Checkpoint, *, runs: bool) -> Any:
        model.entries = dict(reversed(model.entries.items()))
        return model


def as_specimen(name: str, model: Any) -> Specimen:
    """Return the specimen for a model, or for a pair (model, example input).

    Raises:
        UnsupportedError: No framework knows the model.
    """
    pair = cast(tuple[Any, Any], model if isinstance(model, tuple) else (model, None))
    backend = backend_of(pair[0])
    if backend.name == "files":
        return CheckpointSpecimen(name, *pair)
    return importlib.import_module(f"genewright.conformance.{backend.name}_specimens").SPECIMEN(name, *pair)


def built_in() -> list[Specimen]:
    """Return the built-in networks: checkpoints, and modules where torch is installed."""
    from_files: dict[str, Any] = importlib.import_module("genewright.conformance.checkpoints").networks()
    networks = dict(from_files)
    if "torch" in sys.modules or importlib.util.find_spec("torch") is not None:
        networks |= importlib.import_module("genewright.conformance.torch_specimens").networks()
    return [as_specimen(name, model) for name, model in networks.items()]
