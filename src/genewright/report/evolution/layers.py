"""The champion's layers beside the original's: shapes, values, and how far they have moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.tensor import Tensor

_VALUES = 200_000  # of a layer, for its histogram and its distance; of larger ones every k-th


@dataclass(frozen=True, kw_only=True)
class LayerChange:
    """One layer that owns tensors, in the original and in the champion.

    Attributes:
        name: Its name, in the champion where it is in both.
        kind: The name of its class, in both where they differ.
        shapes: Names and shapes of its tensors in the original, and in the champion; None where it has no such layer.
        parameters: Its trainable values in the original, and in the champion.
        before: Trainable values in the original (a sample of a large layer), None where it has no such layer.
        after: Those in the champion.
        moved: ``|after - before| / |before|``, Euclidean; None where shapes differ or the layer was zero.
    """

    name: str
    kind: str
    shapes: tuple[str | None, str | None]
    parameters: tuple[int, int]
    before: NDArray[np.float64] | None
    after: NDArray[np.float64] | None
    moved: float | None

    @property
    def reshaped(self) -> bool:
        """Whether the architecture of the layer is another one."""
        return self.shapes[0] != self.shapes[1]


def compare_layers(base: Any, champion: Any) -> list[LayerChange]:
    """Return every layer that owns tensors in either network, in the champion's order; those that are gone last."""
    first, second = backend_of(base).network(base), backend_of(champion).network(champion)
    old, new = first.tensors_by_layer(), second.tensors_by_layer()
    return [_compared(name, first, old.get(name), second, new.get(name)) for name in (new | old)]


def _compared(
    name: str, first: Network, old: list[Tensor] | None, second: Network, new: list[Tensor] | None
) -> LayerChange:
    kinds = [tensors[0].layer_type for tensors in (old, new) if tensors]
    shapes = _shapes(name, old), _shapes(name, new)
    step = max(1, max(_size(old), _size(new)) // _VALUES)
    before, after = _values(first, old, step), _values(second, new, step)
    moved = None
    if before is not None and after is not None and shapes[0] == shapes[1]:
        length = float(np.linalg.norm(before))
        moved = float(np.linalg.norm(after - before)) / length if length > 0 else None
    return LayerChange(
        name=name or "(the model)",
        kind=" → ".join(dict.fromkeys(kind for kind in kinds if kind)),
        shapes=shapes,
        parameters=(_size(old), _size(new)),
        before=before,
        after=after,
        moved=moved,
    )


def _shapes(layer: str, tensors: list[Tensor] | None) -> str | None:
    if tensors is None:
        return None
    names = (tensor.name.removeprefix(f"{layer}.") for tensor in tensors)
    return ", ".join(
        f"{name} {' x '.join(map(str, tensor.shape)) or 'scalar'}" for name, tensor in zip(names, tensors, strict=True)
    )


def _size(tensors: list[Tensor] | None) -> int:
    return sum(tensor.size for tensor in tensors or () if tensor.trainable)


def _values(network: Network, tensors: list[Tensor] | None, step: int) -> NDArray[np.float64] | None:
    """Return finite trainable values as numbers; empty where the layer has none that NumPy can read."""
    if tensors is None:
        return None
    found: list[NDArray[np.float64]] = [np.zeros(0)]
    for tensor in tensors:
        if tensor.trainable:
            try:
                values = network.read(tensor.name).reshape(-1)[::step]
            except UnsupportedError:
                continue  # bits, but no numbers
            if values.dtype.kind in "fiu":
                found.append(np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0))
    return np.concatenate(found)
