"""Rerun: one model on one batch, again and again, as some of its tensors change and change back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

Outputs = list[NDArray[Any]]


class Rerun(ABC):
    """Runs of one model, in evaluation mode: once as it is on a batch, and then on the same batch after changes.

    Outputs are those of `Backend.predict`, to the bit; whatever is not computed again would have come out the same.
    The model's modes are put back when the block ends.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what was kept, and put the modes back."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of what was kept, and put the modes back; it may be begun anew."""

    @abstractmethod
    def start(self, batch: Any) -> Outputs:
        """Return the outputs of the model as it is now, the original, and keep what later runs can begin from."""

    @abstractmethod
    def again(self, changed: Collection[str] | None) -> Outputs | None:
        """Return the outputs for the same batch.

        Args:
            changed: Names of the tensors whose values differ from the original's now; None where layers or shapes do.

        Returns:
            The outputs; None where it was seen on the way that they are the original's to the bit. They may be
            overwritten by the next run.
        """

    def sample_bytes(self, batch: Any, samples: int) -> int | None:
        """Return how many bytes a sample takes that are kept between runs; None where nothing is kept.

        Args:
            batch: A small batch.
            samples: How many it holds.
        """
        return None


class WholeRerun(Rerun):
    """Every run is a whole one.

    Args:
        predict: Returns the outputs for a batch.
    """

    def __init__(self, predict: Callable[[Any], Outputs]) -> None:
        self._predict = predict
        self._batch: Any = None

    def start(self, batch: Any) -> Outputs:
        self._batch = batch
        return self._predict(batch)

    def again(self, changed: Collection[str] | None) -> Outputs | None:
        return self._predict(self._batch)

    def close(self) -> None:
        self._batch = None
