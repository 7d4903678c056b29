"""Structure: how a model computes, as one run on an example shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits import InsertLayer
from genewright.widths.widths import Widths


@dataclass(frozen=True, kw_only=True)
class Call:
    """What one layer was given and what it returned.

    Attributes:
        layer: The layer's name.
        layer_type: Its class name.
        given: Shape of the first tensor that it was given.
        returned: Shape of the tensor that it returned, the first one of a tuple.
        times: How often it was called in the run.
        composite: It has layers of its own.
        depth_axis: The axis of the output's channels or features.
        window_axes: Over how many axes of the output a window can move: 2 for images, 0 where there are only features.
        extras: Class names of what else it was given, beyond the first tensor, plain values and None.
    """

    layer: str
    layer_type: str
    given: tuple[int, ...]
    returned: tuple[int, ...]
    times: int
    composite: bool
    depth_axis: int
    window_axes: int = 0
    extras: tuple[str, ...] = ()

    @property
    def has_cache(self) -> bool:
        """Whether it received a cache, into which it writes at a place that its number says."""
        return any(name.endswith("Cache") for name in self.extras)


class Structure(ABC):
    """What architecture operators ask of a model that has been run once; each part is worked out at its first use."""

    @property
    @abstractmethod
    def widths(self) -> Widths:
        """The widths that stand in its tensors, and what changes with each."""

    @abstractmethod
    def calls(self) -> dict[str, Call]:
        """Return the layers that took a floating tensor and returned one, by name, in the order in which they ended."""

    @abstractmethod
    def call(self, layer: str) -> Call:
        """Return what is known of one layer's call.

        Raises:
            UnknownNameError: There is no such layer; the message lists near names.
            UnsupportedError: The example never reaches it, or it neither takes nor returns a tensor.
        """

    def given(self, layer: str) -> NDArray[np.floating[Any]] | None:
        """Return what a layer is given on the example, one row a position and one column a feature; None if unknown."""
        return None

    @abstractmethod
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """Return the names of layers that could be blocks of a chain: they return the shape that they take.

        They come in groups: first entries of lists and chains, the outermost ones; then all others; then whole chains.
        """

    @abstractmethod
    def is_listed(self, block: str) -> bool:
        """Whether a copy of the block would be called by the code that calls the block, as an entry of a list is."""

    @abstractmethod
    def takes(self, insertion: InsertLayer, zeros: tuple[str, ...]) -> bool:
        """Whether the model runs with a new layer, and with these of its tensors zero puts out what it did.

        Tried on a copy of the model that is woken up, so that what is kept by chance at random init does not count.
        """

    @abstractmethod
    def silencing(self, block: str) -> tuple[str, ...] | None:
        """Return the fewest tensors of a copy of `block` that must be zero so that it returns what it is given.

        Names are relative to the block. Empty means that it does so as it is; None that no zeros do it.
        """
