"""The test cases that operators are checked on: networks, and what can be asked of each."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from genewright.backends import backend_of


class Case(ABC):
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

    def exactly(self) -> AbstractContextManager[object]:
        """Return the context in which what `doubled` returns computes in float64."""
        return nullcontext()

    def doubled(self) -> Any:
        """Return a copy in float64, or None where that has no meaning."""
        return None


def as_case(name: str, model: Any) -> Case:
    """Return the test case for a model, or for a pair (model, example input).

    Raises:
        UnsupportedError: No framework knows the model.
    """
    pair = cast(tuple[Any, Any], model if isinstance(model, tuple) else (model, None))
    return _of(backend_of(pair[0]).name).CASE(name, *pair)


def built_in() -> list[Case]:
    """Return the built-in networks: checkpoints, modules where torch is installed, and Keras models where it is in use.

    Keras is not imported for it: that takes seconds, and settles for the whole process which framework runs it.
    """
    frameworks = ["files"]
    if "torch" in sys.modules or importlib.util.find_spec("torch") is not None:
        frameworks.append("torch")
    if sys.modules.get("keras") is not None:
        frameworks.append("keras")
    return [as_case(name, model) for each in frameworks for name, model in _of(each).networks().items()]


def not_tried() -> str:
    """Return which frameworks `built_in` leaves out, and what to do about it; "" for none."""
    left_out = [] if importlib.util.find_spec("torch") is not None else ["torch: it is not installed"]
    if sys.modules.get("keras") is None:
        left_out.append("Keras: import keras first")
    return "; ".join(left_out)


def _of(framework: str) -> Any:
    return importlib.import_module(f"genewright.conformance.{framework}_cases")
