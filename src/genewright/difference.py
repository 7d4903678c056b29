"""The difference of two networks, tensor by tensor, to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from genewright.backends import backend_of
from genewright.distance import Distance, json_number
from genewright.errors import UnsupportedError
from genewright.fingerprint import fingerprint_of
from genewright.network import Network
from genewright.tensor import Tensor

_PART = 1 << 20  # elements compared at a time

Status = Literal["equal", "changed", "other shape", "other dtype", "only in the first", "only in the second"]


@dataclass(frozen=True, kw_only=True)
class TensorDifference:
    """The difference of one tensor.

    Attributes:
        name: The tensor's name.
        shape: Its shape (in the first network, where it is there).
        dtype: Its dtype.
        status: What differs.
        changed: Number of elements whose bits differ (0.0 and -0.0 differ).
        largest: max |a - b|, or None where values cannot be compared.
        mean: mean |a - b| over all elements that are finite in both, or None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    status: Status
    changed: int = 0
    largest: float | None = None
    mean: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON holds it."""
        numbers = {key: None if (v := getattr(self, key)) is None else json_number(v) for key in ("largest", "mean")}
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "status": self.status,
            "changed": self.changed,
            **numbers,
        }


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of two networks.

    Attributes:
        tensors: Every tensor of either, tied ones under each name.
        first: Fingerprint of the first network.
        second: Fingerprint of the second.
    """

    tensors: tuple[TensorDifference, ...]
    first: str
    second: str

    @property
    def equal(self) -> bool:
        """Whether every byte, name, shape and dtype agrees."""
        return all(tensor.status == "equal" for tensor in self.tensors)

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON holds it."""
        return {
            "equal": self.equal,
            "first": self.first,
            "second": self.second,
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }


def difference(first: Any, second: Any) -> Difference:
    """Compare two networks' tensors, name by name.

    Args:
        first: A model or a checkpoint.
        second: Another.

    Raises:
        UnsupportedError: One of them is neither.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> found = difference(net, gw.mutate(net, gw.GaussianNoise(std=1.0, where="bias"), seed=1))
        >>> [(tensor.name, tensor.changed) for tensor in found.tensors]
        [('weight', 0), ('bias', 2)]
    """
    one, other = backend_of(first).network(first), backend_of(second).network(second)
    in_first, in_second = _by_every_name(one), _by_every_name(other)
    _leave_out_ties(in_first, in_second)
    _leave_out_ties(in_second, in_first)
    found: list[TensorDifference] = []
    for name, tensor in (in_second | in_first).items():
        if name not in in_second or name not in in_first:
            status = "only in the first" if name in in_first else "only in the second"
            found.append(TensorDifference(name=name, shape=tensor.shape, dtype=tensor.dtype, status=status))
        else:
            found.append(_of_tensor(name, tensor, in_second[name], one, other))
    order = {name: place for place, name in enumerate((*in_first, *in_second))}
    found.sort(key=lambda tensor: order[tensor.name])
    return Difference(tensors=tuple(found), first=fingerprint_of(one), second=fingerprint_of(other))


def _by_every_name(network: Network) -> dict[str, Tensor]:
    return {name: tensor for tensor in network.tensors.values() for name in (tensor.name, *tensor.aliases)}


def _leave_out_ties(named: dict[str, Tensor], others: Mapping[str, Tensor]) -> None:
    """Leave out further names of a tied tensor that the other network has under one name alone, as files have it."""
    for name, tensor in list(named.items()):
        there = [same for same in (tensor.name, *tensor.aliases) if same in others]
        if name not in others and len(there) == 1:
            del named[name]


def _of_tensor(name: str, a: Tensor, b: Tensor, first: Network, second: Network) -> TensorDifference:
    if a.shape != b.shape or a.dtype != b.dtype:
        status = "other shape" if a.shape != b.shape else "other dtype"
        return TensorDifference(name=name, shape=a.shape, dtype=a.dtype, status=status)
    bytes_of_a = np.frombuffer(first.raw(a.name), np.uint8)
    bytes_of_b = np.frombuffer(second.raw(b.name), np.uint8)
    width = max(1, a.nbytes // max(1, a.size))
    changed = 0
    for start in range(0, bytes_of_a.size, _PART * width):
        part = slice(start, start + _PART * width)
        differs = bytes_of_a[part] != bytes_of_b[part]
        changed += int(differs.reshape(-1, width).any(axis=1).sum())
    if not changed:
        return TensorDifference(name=name, shape=a.shape, dtype=a.dtype, status="equal", largest=0.0, mean=0.0)
    distance = _distance(a, b, first, second)
    return TensorDifference(
        name=name,
        shape=a.shape,
        dtype=a.dtype,
        status="changed",
        changed=changed,
        largest=distance and distance.largest,
        mean=distance and distance.mean(),
    )


def _distance(a: Tensor, b: Tensor, first: Network, second: Network) -> Distance | None:
    try:
        values, others = first.read(a.name).reshape(-1), second.read(b.name).reshape(-1)
    except UnsupportedError:
        return None  # a dtype that NumPy does not know has bits, but no numbers
    distance = Distance()
    for start in range(0, values.size, _PART):
        distance.add(values[start : start + _PART], others[start : start + _PART])
    return distance
