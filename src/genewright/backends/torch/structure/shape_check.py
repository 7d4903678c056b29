"""Check a run against the shapes that the axes predict, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from genewright.backends.torch.structure.propagation import Propagation
from genewright.backends.torch.structure.record import user_line
from genewright.errors import UnsupportedError
from genewright.widths.axes import Leaf, leaves, resized


class ShapeCheck(TorchDispatchMode):
    """Dispatch mode that stops a run at the first shape other than predicted: 8 heads of 10 instead of 10 heads of 8.

    Attributes:
        count: How many operations have run.
        mismatch: The first unexpected shape, with the user's line; "" as long as there is none.
    """

    def __init__(self, reading: Propagation, sizes: Mapping[Leaf, int]) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._results = reading.results
        self._sizes = sizes
        self.count = 0
        self.mismatch = ""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result: Any = func(*args, **(kwargs or {}))
        if func.namespace == "prim":
            return cast(object, result)
        if self.count < len(self._results) and not self.mismatch:
            name, axes = self._results[self.count]
            for dims, tensor in zip(axes, _tensors(result), strict=False):
                if any(leaf in self._sizes for axis in dims for leaf in leaves(axis)):
                    expected = tuple(resized(axis, self._sizes) for axis in dims)
                    if expected != tuple(tensor.shape):
                        self.mismatch = (
                            f"{user_line()}: {name} would give the shape {tuple(tensor.shape)}, "
                            f"where {expected} is meant"
                        )
        self.count += 1
        if self.mismatch:
            raise UnsupportedError(self.mismatch)
        return cast(object, result)


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    for value in cast("tuple[Any, ...]", result if isinstance(result, tuple | list) else (result,)):
        if isinstance(value, torch.Tensor):
            yield value
