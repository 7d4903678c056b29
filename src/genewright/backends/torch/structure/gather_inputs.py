"""An example whose tensors have other lengths: what a model takes whose inputs have grown or shrunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._pytree import tree_map_only

from genewright.widths.axes import Axis, Leaf, gathered, leaves

Moves = Mapping[int, Sequence[tuple[int, NDArray[np.int64]]]]
"""For a tensor, by its number in the example, the axes that change and where each new position comes from."""


def gather_inputs(example: Any, moves: Moves) -> Any:
    """Return the example with some of its tensors gathered along axes; zero where an index is -1.

    Args:
        example: Tensors and arrays in tuples, lists and dicts; it stays as it is.
        moves: What moves.
    """
    number = iter(range(1 << 31))

    def moved(given: Any) -> Any:
        value = given if isinstance(given, torch.Tensor) else torch.tensor(given)
        for axis, index in moves.get(next(number), ()):
            places = torch.tensor(index, device=value.device)
            value = value.index_select(axis, places.clamp(min=0))
            fresh = (slice(None),) * axis + (places < 0,)
            value[fresh] = 0
        return value if isinstance(given, torch.Tensor) else value.numpy()

    return tree_map_only((torch.Tensor, np.ndarray), moved, example)


def resized_example(example: Any, inputs: Sequence[Sequence[Axis]], sizes: Mapping[Leaf, int]) -> Any:
    """Return the example as it is when some widths have other sizes; new positions repeat the old ones."""
    moves: dict[int, list[tuple[int, NDArray[np.int64]]]] = {}
    for number, axes in enumerate(inputs):
        for position, axis in enumerate(axes):
            for leaf in dict.fromkeys(leaves(axis)):
                if leaf in sizes:
                    index = np.arange(sizes[leaf]) % leaf.size
                    moves.setdefault(number, []).append((position, gathered(axis, leaf, index)))
    return gather_inputs(example, moves) if moves else example
