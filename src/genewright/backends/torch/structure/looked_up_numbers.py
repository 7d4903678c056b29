"""By which numbers tables are looked up: what one run on an example shows, and no shape tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genewright.backends.torch.predict import predict
from genewright.errors import GenewrightError

LOOKUPS = ("aten.embedding", "aten.index", "aten.index_select")
"""Operations that look rows up by number."""


def looked_up_numbers(
    model: nn.Module, example: Any, tensors: Mapping[str, Sequence[torch.Tensor]]
) -> dict[str, list[NDArray[np.int64]]]:
    """Return by which numbers some tensors are looked up, call by call; nothing where the run fails.

    Args:
        model: The module; what a run leaves behind is taken back.
        example: What it is run on.
        tensors: The tensors by name, with all objects that each is.
    """
    if not tensors:
        return {}
    watch = _Lookups({tensor.data_ptr(): name for name, same in tensors.items() for tensor in same})
    try:
        with watch:
            predict(model, example)
    except GenewrightError:
        raise
    except Exception:  # then nothing is known of these tables; what the run says comes when the example is used
        return {}
    return watch.seen


@dataclass
class _Lookups(TorchDispatchMode):
    """Notes by which numbers some tensors are looked up."""

    names: Mapping[int, str]
    seen: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict[str, list[NDArray[np.int64]]])

    def __post_init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func.overloadpacket)
        if name in LOOKUPS and isinstance(args[0], torch.Tensor):
            tensor = self.names.get(args[0].data_ptr())
            numbers = numbers_of(name, args)
            if tensor is not None and isinstance(numbers, torch.Tensor) and not numbers.is_floating_point():
                self.seen.setdefault(tensor, []).append(numbers.detach().cpu().numpy().astype(np.int64))
        return func(*args, **(kwargs or {}))


def numbers_of(name: str, args: Any) -> Any:
    """Return what a table is looked up by: a tensor; None where there are several."""
    if name == "aten.embedding":
        return args[1]
    if name == "aten.index_select":
        return args[2]
    used = [one for one in args[1] if one is not None]
    return used[0] if len(used) == 1 else None


def counts_up(numbers: NDArray[np.int64], padding: int | None) -> bool:
    """Whether numbers go up by one along their last axis, those of padding left out."""
    if not numbers.ndim:
        return False
    rows = [row[row != padding] for row in numbers.reshape(-1, numbers.shape[-1])]
    return any(len(row) > 1 for row in rows) and all(bool((np.diff(row) == 1).all()) for row in rows)
