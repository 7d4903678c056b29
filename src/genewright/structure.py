"""Structure: how a model computes, as one run on an example shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits import InsertLayer
from genewright.errors import UnsupportedError
from genewright.widths.widths import Widths


@dataclass(frozen=True, kw_only=True)
class Call:
    """The calls of one layer in the run: shapes of its input and output.

    Attributes:
        layer: The layer's name.
        layer_type: Its class name.
        input_shape: Shape of its first input tensor.
        output_shape: Shape of its output, the first tensor of a tuple.
        num_calls: How often it was called in the run.
        composite: It has sub-layers.
        depth_axis: The axis of the output's channels or features.
        window_axes: Over how many axes of the output a window can move: 2 for images, 0 where there are only features.
        grafted: A mutation put it beside another layer; the seed chooses no such one, so that grafts do not nest.
        elsewhere: Shapes of its input and output in a run on other batches and lengths; None where there was none.
        extra_inputs: Class names of its other inputs, beyond the first tensor, plain values and None.
        sources: The layers whose outputs it received as its first input, as they are or with their axes rearranged; ""
            for anything else.
    """

    layer: str
    layer_type: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    num_calls: int
    composite: bool
    depth_axis: int
    window_axes: int = 0
    extra_inputs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    grafted: bool = False
    elsewhere: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @property
    def keeps_shape(self) -> bool:
        """Whether its output has the shape of its input, in every run that is known."""
        given, returned = self.elsewhere or ((), ())
        return self.input_shape == self.output_shape and given == returned

    @property
    def has_cache(self) -> bool:
        """Whether it received a cache, into which it writes at a place that its number says."""
        return any(name.endswith("Cache") for name in self.extra_inputs)


class Structure(ABC):
    """How a model computes on an example; each part is worked out at its first use.

    `accepts` and `zero_init_tensors` are experiments on a copy, not facts: whether an edited copy keeps the outputs is
    known by running it alone, and how to run one is the framework's affair.
    """

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

    def layer_inputs(self, layer: str) -> NDArray[np.floating[Any]] | None:
        """Return the inputs of a layer on the example, (positions, features); None if unknown."""
        return None

    def macs(self) -> dict[str, int]:
        """Return the multiplications, each with its addition, of every layer that has some, on the example.

        Raises:
            UnsupportedError: They cannot be counted here; the reason is named.
        """
        raise UnsupportedError("Multiplications are not counted in this kind of model.")

    @abstractmethod
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """Return the names of layers that could be blocks of a chain: their output has the shape of their input.

        They come in groups: first entries of lists and chains, the outermost ones; then all others; then whole chains.
        """

    @abstractmethod
    def in_layer_list(self, block: str) -> bool:
        """Whether a copy of the block would be called by the code that calls the block, as an entry of a list is."""

    def counts_entries(self, layer: str) -> bool:
        """Whether a layer stands in a chain whose entries the model's code takes by number, as it does `features[2:4]`.

        Then none may move: a layer that is taken out becomes the identity, and a new one is grafted on its host.
        """
        return False

    @abstractmethod
    def accepts(self, insertion: InsertLayer, zeros: tuple[str, ...]) -> bool:
        """Whether the model runs with a new layer, and with these of its tensors zero has the same outputs.

        Tried on a copy of the model whose constant parameters are randomized: with zero gains any layer would fit.
        """

    @abstractmethod
    def zero_init_tensors(self, block: str) -> tuple[str, ...] | None:
        """Return the fewest tensors of a copy of `block` to initialise with zeros so that it is the identity.

        Names are relative to the block. Empty means that it does so as it is; None that no zeros do it.
        """
