"""Holding a run to what the axes foresee, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from genewright.backends.torch.structure.reading import Reading
from genewright.backends.torch.structure.record import user_line
from genewright.errors import UnsupportedError
from genewright.widths.axes import Leaf, leaves, resized


class Foreseen(TorchDispatchMode):
    """Stops a run as soon as it goes another way than the axes say: 8 heads of 10 instead of 10 heads of 8.

    Attributes:
        count: How many operations have run.
        otherwise: What went another way, with the user's line; "" as long as nothing did.
    """

    def __init__(self, reading: Reading, sizes: Mapping[Leaf, int]) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._results = reading.results
        self._sizes = sizes
        self.count = 0
        self.otherwise = ""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result: Any = func(*args, **(kwargs or {}))
        if func.namespace == "prim":
            return cast(object, result)
        if self.count < len(self._results) and not self.otherwise:
            name, axes = self._results[self.count]
            for dims, tensor in zip(axes, _tensors(result), strict=False):
                if any(leaf in self._sizes for axis in dims for leaf in leaves(axis)):
                    expected = tuple(resized(axis, self._sizes) for axis in dims)
                    if expected != tuple(tensor.shape):
                        self.otherwise = (
                            f"{user_line()}: {name} would give the shape {tuple(tensor.shape)}, "
                            f"where {expected} is meant"
                        )
        self.count += 1
        if self.otherwise:
            raise UnsupportedError(self.otherwise)
        return cast(object, result)


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    for value in cast("tuple[Any, ...]", result if isinstance(result, tuple | list) else (result,)):
        if isinstance(value, torch.Tensor):
            yield value
