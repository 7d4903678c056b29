"""The difference of two networks, tensor by tensor, to the bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.cost import Cost
from genewright.distance import Distance, json_number
from genewright.errors import UnsupportedError
from genewright.fingerprint import fingerprint_of
from genewright.network import Network
from genewright.showing import AFTER, LINES, QUIET, Bar, Shown, bars, cost_bars, fragment, more_line, table
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
        other_shape: The shape in the second network, where the tensor is in both.
        other_dtype: The dtype there; "" where it is in one alone.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    status: Status
    changed: int = 0
    largest: float | None = None
    mean: float | None = None
    other_shape: tuple[int, ...] | None = None
    other_dtype: str = ""

    @property
    def form(self) -> str:
        """Dtype and shape, before and after where they differ.

        >>> TensorDifference(name="w", shape=(2,), dtype="float32", status="other shape", other_shape=(3,)).form
        'float32 2 -> 3'
        """
        before, after = _form(self.dtype, self.shape), self.shape if self.other_shape is None else self.other_shape
        there = _form(self.other_dtype or self.dtype, after)
        if there == before:
            return before
        return f"{before} -> {there if self.other_dtype not in ('', self.dtype) else there.partition(' ')[2]}"

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON holds it."""
        numbers = {key: None if (v := getattr(self, key)) is None else json_number(v) for key in ("largest", "mean")}
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "other_shape": None if self.other_shape is None else list(self.other_shape),
            "other_dtype": self.other_dtype or None,
            "status": self.status,
            "changed": self.changed,
            **numbers,
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class Difference(Shown):
    """The difference of two networks.

    Attributes:
        tensors: Every tensor of either, tied ones under each name.
        first: Fingerprint of the first network.
        second: Fingerprint of the second.
        cost: What each takes, in parameters and bytes.
    """

    made_by = "gw.difference(first, second)"
    tensors: tuple[TensorDifference, ...]
    first: str
    second: str
    cost: tuple[Cost, Cost]

    @property
    def equal(self) -> bool:
        """Whether every byte, name, shape and dtype agrees."""
        return all(tensor.status == "equal" for tensor in self.tensors)

    @property
    def differing(self) -> tuple[TensorDifference, ...]:
        """The tensors that differ."""
        return tuple(tensor for tensor in self.tensors if tensor.status != "equal")

    def details(self) -> str:
        """Return the difference in words: a line for every tensor that differs, then what is equal and the cost."""
        rows = [_row(tensor) for tensor in self.differing]
        widths = [max(len(row[at]) for row in rows) for at in range(4)] if rows else []
        lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *self._sums()])

    def _repr_html_(self) -> str:
        shown = self.differing[:LINES]
        changed = [(one, one.changed / max(1, math.prod(one.shape))) for one in shown if one.status == "changed"]
        rows = [Bar(one.name, ((share, AFTER), (1 - share, QUIET)), f"{share:.1%} of it") for one, share in changed]
        left = len(self.differing) - len(shown)
        return fragment(
            self._sums()[0],
            table(("tensor", "form", "status", "change"), map(_row, shown)) if shown else "",
            bars("elements that changed", rows, full=1.0) if rows else "",
            more_line(f"... and {left:,} more: .details()" if left else ""),
            cost_bars(*self.cost) if self.cost[0] != self.cost[1] else "",
        )

    def _sums(self) -> list[str]:
        if self.equal:
            return [f"Every byte of {len(self.tensors):,} tensors agrees: {self.first}"]
        differ = len(self.differing)
        return [
            f"{differ:,} tensor{'s differ' if differ != 1 else ' differs'}, {len(self.tensors) - differ:,} are equal",
            self.cost[0].to(self.cost[1]) if self.cost[0] != self.cost[1] else str(self.cost[0]),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON holds it."""
        return {
            "equal": self.equal,
            "first": self.first,
            "second": self.second,
            "cost": [{"parameters": cost.parameters, "bytes": cost.bytes} for cost in self.cost],
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }


@answered("gw.difference(first, second)")
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
        >>> found = gw.difference(net, gw.mutate(net, gw.GaussianNoise(std=1.0, where="bias"), seed=1))
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
    return Difference(
        tensors=tuple(found), first=fingerprint_of(one), second=fingerprint_of(other), cost=(one.cost(), other.cost())
    )


def _form(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype} {'x'.join(map(str, shape)) or 'scalar'}"


def _row(tensor: TensorDifference) -> tuple[str, str, str, str]:
    moved = "" if tensor.largest is None else f", by {tensor.largest:.4g} at most, {tensor.mean:.4g} in the mean"
    changed = f"{tensor.changed:,} of {math.prod(tensor.shape):,}{moved}" if tensor.status == "changed" else ""
    return tensor.name, tensor.form, tensor.status, changed


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
        return TensorDifference(
            name=name, shape=a.shape, dtype=a.dtype, status=status, other_shape=b.shape, other_dtype=b.dtype
        )
    bytes_of_a = np.frombuffer(first.raw(a.name), np.uint8)
    bytes_of_b = np.frombuffer(second.raw(b.name), np.uint8)
    width = max(1, a.nbytes // max(1, a.size))
    changed = 0
    for start in range(0, bytes_of_a.size, _PART * width):
        part = slice(start, start + _PART * width)
        differs = bytes_of_a[part] != bytes_of_b[part]
        changed += int(differs.reshape(-1, width).any(axis=1).sum())
    # No distance of equal bytes; nor of a dtype that NumPy does not know.
    distance = _distance(a, b, first, second) if changed else Distance()
    return TensorDifference(
        name=name,
        shape=a.shape,
        dtype=a.dtype,
        status="changed" if changed else "equal",
        changed=changed,
        largest=distance and distance.largest,
        mean=distance and (distance.mean() if changed else 0.0),
        other_shape=b.shape,
        other_dtype=b.dtype,
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
