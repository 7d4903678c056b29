"""An oracle for the axis rules that knows none of them: what a rule says of units has to hold of values.

Of a call f and a free width in its tensors:

* units can change places: f(units moved in all tensors) = f(tensors) with the units moved;
* where nothing is said to mix them, a unit's values reach its own places in the output and no others;
* where weights read them, zeros in the columns of a unit cut it off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from genewright.backends.torch.predict import tensors_of
from genewright.backends.torch.structure.propagation import Propagation, follow
from genewright.backends.torch.structure.record import Ref, record
from genewright.backends.torch.structure.torch_widths import rules as rules
from genewright.backends.torch.structure.values import Dim, Value
from genewright.widths.axes import ONE, Leaf, coordinates, gathered, leaves
from genewright.widths.reasons import Cause

Tensors = Sequence[torch.Tensor]


class _Call(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        super().__init__()
        flat, spec = tree_flatten((args, kwargs))

        def called(leaves_of_it: list[Any]) -> Any:
            args, kwargs = tree_unflatten(leaves_of_it, spec)
            return function(*args, **kwargs)

        self.called = called  # a closure is copied as it is
        self.places = [at for at, value in enumerate(flat) if isinstance(value, torch.Tensor)]
        self.rest = [None if isinstance(value, torch.Tensor) else value for value in flat]
        self.given = [flat[at] for at in self.places]

    def forward(self, *tensors: torch.Tensor) -> Any:
        flat = list(self.rest)
        for at, tensor in zip(self.places, tensors, strict=True):
            flat[at] = tensor
        return self.called(flat)


@dataclass
class Verdict:
    """What came of holding the rules to one call.

    Attributes:
        checked: How many statements about free widths were held to values.
        faults: Those that do not hold.
        unknown: Operations without a rule.
    """

    checked: int
    faults: list[str]
    unknown: Mapping[str, int]


def verdict(function: Callable[..., Any], args: Any, kwargs: Any = None, *, weights: bool = False) -> Verdict:
    """Hold what the rules say of function(*args, **kwargs) to values; with `weights` all tensors but the first are."""
    call = _Call(function, args, kwargs or {})
    given = [tensor.detach() for tensor in call.given]
    recording = record(call, tuple(given), {})
    inputs = [ref for ref in recording.leaves if ref.origin == "input"]
    known = {ref: _free(ref, f"tensor {at}", weight=weights and at > 0) for at, ref in enumerate(inputs)}
    reading, values = follow(recording, known)
    layouts = [values[ref] for ref in inputs]
    outputs = [values[ref] for ref in recording.outputs]
    out = Verdict(0, [], reading.unknown)
    before = _run(call, given)
    if not _same(before, _run(call, given)):
        return out  # it draws
    found = dict.fromkeys(leaf for value in layouts for dim in value.dims for leaf in leaves(dim.axis))
    for leaf in found:
        if leaf.pins or leaf.size < 2:
            continue
        for statement in (_moved, _apart, _cut_off):
            for fault in statement(call, given, layouts, before, outputs, leaf, reading):
                out.checked += 1
                if fault:
                    out.faults.append(f"{[c.name for c in recording.calls]} {[tuple(t.shape) for t in given]}: {fault}")
    return out


def _free(ref: Ref, name: str, *, weight: bool) -> Value:
    dims = tuple(
        Dim(Leaf(n) if n != 1 else ONE, frozenset({(name, at)}) if weight else frozenset())
        for at, n in enumerate(ref.shape)
    )
    return Value(dims, "weight" if weight else "data", direct=weight)


def _moved(
    call: _Call, given: Tensors, layouts: Sequence[Value], before: Tensors, outputs: Sequence[Value], leaf: Leaf, _: Any
) -> Iterator[str]:
    if any(reason.cause is Cause.SLID for reason in leaf.mixes):
        return  # neighbours count
    order = [*range(1, leaf.size), 0]
    after = _run(call, [_gathered(t, v, leaf, order) for t, v in zip(given, layouts, strict=True)])
    expected = [_gathered(t, v, leaf, order) for t, v in zip(before, outputs, strict=True)]
    yield "" if _same(after, expected) else f"units of a width of {leaf.size} cannot change places"


def _apart(
    call: _Call, given: Tensors, layouts: Sequence[Value], before: Tensors, outputs: Sequence[Value], leaf: Leaf,
    reading: Propagation,
) -> Iterator[str]:  # fmt: skip
    if leaf.mixes or _readers(reading, leaf) or _normed(reading, leaf):
        return
    for unit in (0, leaf.size - 1):
        after = _run(call, [_changed(t, v, leaf, unit) for t, v in zip(given, layouts, strict=True)])
        reached = any(
            not _close(_without(a, v, leaf, unit), _without(b, v, leaf, unit))
            for a, b, v in zip(after, before, outputs, strict=True)
        )
        yield f"unit {unit} of a width of {leaf.size} reaches what is not its own" if reached else ""


def _cut_off(
    call: _Call, given: Tensors, layouts: Sequence[Value], before: Tensors, outputs: Sequence[Value], leaf: Leaf,
    reading: Propagation,
) -> Iterator[str]:  # fmt: skip
    readers = [
        (tensor, axis)
        for tensor, axis in _readers(reading, leaf)
        if any(leaf is inner for inner in leaves(layouts[tensor].dims[axis].axis))
    ]
    if leaf.mixes or not readers or _normed(reading, leaf):
        return
    for unit in (0, leaf.size - 1):
        cut, wild = [t.clone() for t in given], []
        for tensor, axis in readers:
            at = [p for p, own in enumerate(coordinates(layouts[tensor].dims[axis].axis, leaf)) if own == unit]
            cut[tensor].index_fill_(axis, torch.tensor(at), 0)
        read = {tensor for tensor, _ in readers}
        for at, (tensor, value) in enumerate(zip(cut, layouts, strict=True)):
            wild.append(tensor if at in read else _changed(tensor, value, leaf, unit))
        rest = [
            (_without(a, v, leaf, unit), _without(b, v, leaf, unit))
            for a, b, v in zip(_run(call, wild), _run(call, cut), outputs, strict=True)
        ]
        yield "" if all(_close(a, b) for a, b in rest) else f"zero columns of unit {unit} do not cut it off"


def _readers(reading: Propagation, leaf: Leaf) -> list[tuple[int, int]]:
    """Return (tensor, axis) of what reads along a width."""
    found = [m.tag for m in reading.marks if m.role == "reader" and any(leaf is inner for inner in leaves(m.axis))]
    return [(int(name.split()[1]), axis) for name, axis in dict.fromkeys(found)]


def _normed(reading: Propagation, leaf: Leaf) -> bool:
    return any(leaf is inner for norm in reading.norms for inner in leaves(norm.axis))


def _run(call: _Call, tensors: Tensors) -> list[torch.Tensor]:
    with torch.no_grad():
        return [t.clone() for t in tensors_of(call(*(t.clone() for t in tensors)))]


def _gathered(tensor: torch.Tensor, value: Value, leaf: Leaf, order: Sequence[int]) -> torch.Tensor:
    for axis, dim in enumerate(value.dims):
        tensor = tensor.index_select(axis, torch.tensor(gathered(dim.axis, leaf, order)))
    return tensor


def _changed(tensor: torch.Tensor, value: Value, leaf: Leaf, unit: int) -> torch.Tensor:
    """Return a tensor with other values in one unit's places."""
    out = tensor.clone()
    for axis, dim in enumerate(value.dims):
        at = torch.tensor([p for p, own in enumerate(coordinates(dim.axis, leaf)) if own == unit], dtype=torch.long)
        if at.numel() and tensor.is_floating_point():
            out.index_copy_(axis, at, tensor.index_select(axis, at) * 1.7 + 0.3)
    return out


def _without(tensor: torch.Tensor, value: Value, leaf: Leaf, unit: int) -> torch.Tensor:
    for axis, dim in enumerate(value.dims):
        keep = [p for p, own in enumerate(coordinates(dim.axis, leaf)) if own != unit]
        tensor = tensor.index_select(axis, torch.tensor(keep, dtype=torch.long))
    return tensor


def _same(a: Tensors, b: Tensors) -> bool:
    return len(a) == len(b) and all(_close(x, y) for x, y in zip(a, b, strict=True))


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.shape != b.shape:
        return False
    return torch.allclose(a, b, rtol=1e-7, atol=1e-9, equal_nan=True) if a.is_floating_point() else torch.equal(a, b)
