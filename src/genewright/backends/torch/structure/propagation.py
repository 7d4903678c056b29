"""Reading a recording: every operation states which axes are one, by the rule of its family.

An operation without a rule pins all that goes through it, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import torch
from torch import nn

from genewright.backends.torch.structure.record import Call, Recording, Ref
from genewright.backends.torch.structure.values import Dim, Tag, Value, fresh, strongest
from genewright.widths.axes import Axis, Leaf, is_one, mix, note, pin
from genewright.widths.reasons import Cause, Reason
from genewright.widths.unification import join

Role = Literal["writer", "reader", "carrier", "norm", "group", "table"]
Result = Value | tuple[Any, ...] | None
Rule = Callable[["RuleContext"], Result]

RULES: dict[str, Rule] = {}
"""The rules by name of operation, such as "aten.view"; `rule` adds to it."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of some operations.

    Args:
        names: Names without overload, such as "aten.view".
    """

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


@dataclass(frozen=True, eq=False)
class AxisRole:
    """A parameter axis in a role; and which part of the axis is in it."""

    tag: Tag
    axis: Axis
    role: Role
    layer: str


@dataclass(frozen=True, eq=False)
class Binding:
    """An attribute of a layer that holds the length of an axis."""

    layer: str
    attribute: str
    axis: Axis
    entry: int | None = None


@dataclass(frozen=True, eq=False)
class Normalisation:
    """A layer or group norm, which looks across units; `centred` where it takes their mean away first."""

    layer: str
    axis: Axis
    kind: Literal["layer", "group"]
    centred: bool = True


@dataclass
class Propagation:
    """What a recording says.

    Attributes:
        parameters: The axes of every parameter and buffer that took part.
        layers: The modules by name.
        marks: Roles of parameter axes.
        bindings: Attributes that follow an axis.
        norms: Norms across units.
        touched: For every layer, the axes of what its operations took and returned.
        results: For every operation its name and the axes of what it returned.
        unknown: Operations that have no rule, with how often they were met.
        first_names: The first name of every parameter under each of its names.
        inputs: The axes of every tensor of the example, in order.
        outputs: The axes of every tensor that the model returns, in order.
        returned: For every module the axes of what it returned.
    """

    parameters: dict[str, Value] = field(default_factory=dict[str, Value])
    layers: dict[str, nn.Module] = field(default_factory=dict[str, nn.Module])
    marks: list[AxisRole] = field(default_factory=list[AxisRole])
    bindings: list[Binding] = field(default_factory=list[Binding])
    norms: list[Normalisation] = field(default_factory=list[Normalisation])
    touched: dict[str, list[Axis]] = field(default_factory=dict[str, list[Axis]])
    results: list[tuple[str, tuple[tuple[Axis, ...], ...]]] = field(
        default_factory=list[tuple[str, tuple[tuple[Axis, ...], ...]]]
    )
    unknown: dict[str, int] = field(default_factory=dict[str, int])
    first_names: dict[str, str] = field(default_factory=dict[str, str])
    inputs: list[tuple[Axis, ...]] = field(default_factory=list[tuple[Axis, ...]])
    outputs: list[tuple[Axis, ...]] = field(default_factory=list[tuple[Axis, ...]])
    returned: dict[str, tuple[Axis, ...]] = field(default_factory=dict[str, tuple[Axis, ...]])


@dataclass
class RuleContext:
    """One operation while it is read: what a rule is handed.

    Attributes:
        call: The operation.
        args: Its positional arguments by the schema, defaults filled in, tensors as `Value`.
        outputs: What it returned, as `Ref`s.
        reading: Where roles and bindings are noted.
    """

    call: Call
    args: dict[str, Any]
    outputs: tuple[Ref, ...]
    reading: Propagation

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the first output."""
        return self.outputs[0].shape

    @property
    def layer(self) -> nn.Module:
        """Return the innermost module that was running."""
        return self.reading.layers[self.call.layer]

    def position(self, value: Value, name: str = "dim") -> int:
        """Return which axis of `value` an argument names."""
        return int(self.args[name]) % max(1, len(value.dims))

    def values(self) -> list[Value]:
        """Return all tensors among the arguments, in order."""
        return list(_values(tuple(self.args.values())))

    def reason(self, cause: Cause, detail: str = "") -> Reason:
        """Return a reason that names this place."""
        inside = f"in {self.call.layer}" if self.call.layer else ""
        return Reason(cause, detail, f"{self.call.where} {inside}".strip(), self.call.layer)

    def fresh(self, size: int, cause: Cause, detail: str = "") -> Dim:
        """Return a pinned axis of its own."""
        return fresh(size, self.reason(cause, detail))

    def join(self, a: Dim, b: Dim) -> Dim:
        """Make two axes one."""
        join(a.axis, b.axis, self.reason(Cause.LAYOUTS, self.call.name))
        return Dim(a.axis, a.tags | b.tags)

    def pin(self, dim: Dim, cause: Cause, detail: str = "") -> None:
        """Note why an axis cannot change."""
        pin(dim.axis, self.reason(cause, detail))

    def mix(self, dim: Dim, cause: Cause, detail: str = "") -> None:
        """Note that an operation looks across units."""
        mix(dim.axis, self.reason(cause, detail))

    def mark(self, dim: Dim, role: Role, axis: Axis | None = None) -> None:
        """Note the role of the parameter axes that `dim` is; `axis` where only a part of it is in the role."""
        for tag in sorted(dim.tags):
            self.reading.marks.append(AxisRole(tag, dim.axis if axis is None else axis, role, self.call.layer))

    def bind(self, attribute: str, dim: Dim | Axis, entry: int | None = None) -> None:
        """Note that the running layer's attribute holds an axis's length."""
        axis = dim.axis if isinstance(dim, Dim) else dim
        if hasattr(self.layer, attribute):
            self.reading.bindings.append(Binding(self.call.layer, attribute, axis, entry))

    def norm(self, axis: Axis, kind: Literal["layer", "group"], *, centred: bool = True) -> None:
        """Note a norm that looks across the units of `axis`."""
        self.reading.norms.append(Normalisation(self.call.layer, axis, kind, centred))

    def computed(self, dims: Sequence[Dim], *values: Value) -> Value:
        """Return a new tensor computed from `values` (all arguments by default)."""
        return Value(tuple(dims), strongest(v.source for v in (values or self.values())))


def read(recording: Recording) -> Propagation:
    """Read a recording from its first operation to its last."""
    reading, known = follow(recording)
    reading.inputs = [_axes(known[ref]) for ref in recording.leaves if ref.origin == "input"]
    for ref in recording.outputs:
        axes = _axes(known.get(ref, Value(())))
        reading.outputs.append(axes)
        for axis in axes:
            pin(axis, Reason(Cause.OUTPUT))
    return reading


def _axes(value: Value) -> tuple[Axis, ...]:
    return tuple(dim.axis for dim in value.dims)


def read_on(reading: Propagation, recording: Recording) -> None:
    """Add to a reading what another run of the same module says: its parameters have the same axes in both."""
    same = {ref: reading.parameters[ref.name] for ref in recording.leaves if ref.name in reading.parameters}
    other, known = follow(recording, same)
    for ref in recording.outputs:
        for dim in known.get(ref, Value(())).dims:
            pin(dim.axis, Reason(Cause.OUTPUT))
    reading.parameters |= other.parameters
    reading.marks += other.marks
    reading.bindings += other.bindings
    reading.norms += other.norms
    for layer, axes in other.touched.items():
        reading.touched.setdefault(layer, []).extend(axes)


def follow(recording: Recording, given: Mapping[Ref, Value] | None = None) -> tuple[Propagation, dict[Ref, Value]]:
    """Return what the operations of a recording say, and the axes of every tensor; what comes out is not pinned.

    Args:
        recording: A forward pass.
        given: What is known of some leaves; by default parameters are free and inputs pinned.
    """
    reading = Propagation(layers=dict(recording.layers), first_names=dict(recording.first_names))
    known = dict(given or {})
    known |= {ref: _leaf_value(ref, reading) for ref in recording.leaves if ref not in known}
    for call in recording.calls:
        step = RuleContext(call, _arguments(call, known), tuple(refs_of(call.outputs)), reading)
        results = list(_values((_apply(step),)))
        if len(results) != len(step.outputs) or any(
            v.shape != r.shape for v, r in zip(results, step.outputs, strict=False)
        ):
            results = _pinned(step, Cause.RULE_MISFIT, call.name)
        known.update(zip(step.outputs, results, strict=True))
        reading.results.append((call.name, tuple(tuple(dim.axis for dim in v.dims) for v in results)))
        _note_touched(reading, call, [*step.values(), *results])
    for name, ref in recording.returned.items():
        if ref in known:
            reading.returned[name] = tuple(dim.axis for dim in known[ref].dims)
    return reading, known


def _apply(step: RuleContext) -> Any:
    found = RULES.get(step.call.name)
    if found is None and step.call.name.endswith("_"):
        found = RULES.get(step.call.name.removesuffix("_"))
    if found is None and is_pointwise(step.call):
        found = RULES["pointwise"]
    if found is None:
        step.reading.unknown[step.call.name] = step.reading.unknown.get(step.call.name, 0) + 1
        return _pinned(step, Cause.UNKNOWN_OPERATION, step.call.name)
    try:
        result = found(step)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        return _pinned(step, Cause.RULE_MISFIT, step.call.name, f"{type(error).__name__}: {error}")
    if step.call.overload._schema.is_mutable and isinstance(result, Value):
        target = next(iter(step.values()))
        target.becomes(strongest(v.source for v in step.values()))
        return Value(result.dims, strongest((target.source, result.source)), base=target)
    return result


def is_pointwise(call: Call) -> bool:
    """Whether torch itself calls the operation pointwise; one in place is what its other form is."""
    if torch.Tag.pointwise in call.overload.tags:
        return True
    name = call.name.removeprefix("aten.")
    if not name.endswith("_"):
        return False
    other = getattr(torch.ops.aten, name.removesuffix("_"), None)
    return other is not None and any(torch.Tag.pointwise in getattr(other, o).tags for o in other.overloads())


def _pinned(step: RuleContext, cause: Cause, detail: str, hint: str = "") -> list[Value]:
    reason = replace(step.reason(cause, detail), hint=hint)
    for value in step.values():
        for dim in value.dims:
            pin(dim.axis, reason)
    source = strongest(v.source for v in step.values())
    return [Value(tuple(fresh(size, reason) for size in ref.shape), source) for ref in step.outputs]


def _leaf_value(ref: Ref, reading: Propagation) -> Value:
    if ref.origin == "parameter":
        dims = tuple(Dim(Leaf(n), frozenset({(ref.name, i)})) for i, n in enumerate(ref.shape))
        value = reading.parameters[ref.name] = Value(dims, "weight", direct=True)
        return value
    what = (
        f"the tensor {ref.name!r}, an attribute that is no parameter," if ref.name else "a constant tensor of the model"
    )
    constant = Reason(Cause.CONSTANT, what)
    if ref.origin != "input":
        return Value(tuple(fresh(n, constant) for n in ref.shape), "constant")
    why = Reason(Cause.INPUT)
    # One channel is a width too, which may become several; a batch of one is none.
    dims = tuple(fresh(n, why) if n != 1 or not axis else Dim(Leaf(1, pins=[why])) for axis, n in enumerate(ref.shape))
    return Value(dims, "data")


def _arguments(call: Call, known: dict[Ref, Value]) -> dict[str, Any]:
    schema = call.overload._schema.arguments
    out: dict[str, Any] = {}
    for position, argument in enumerate(schema):
        if position < len(call.args):
            given = call.args[position]
        elif argument.name in call.kwargs:
            given = call.kwargs[argument.name]
        else:
            given = argument.default_value
        out[argument.name] = _with_values(given, known)
    return out


def _with_values(given: Any, known: dict[Ref, Value]) -> Any:
    if isinstance(given, Ref):
        return known[given]
    if isinstance(given, tuple | list):
        return [_with_values(g, known) for g in cast(Sequence[Any], given)]
    return given


def _values(given: Any) -> Iterator[Value]:
    if isinstance(given, Value):
        yield given
    elif isinstance(given, tuple | list):
        for one in cast(Sequence[Any], given):
            yield from _values(one)


def refs_of(given: Any) -> Iterator[Ref]:
    """Yield the tensors among arguments or results."""
    if isinstance(given, Ref):
        yield given
    elif isinstance(given, tuple | list):
        for one in cast(Sequence[Any], given):
            yield from refs_of(one)


def _note_touched(reading: Propagation, call: Call, values: Sequence[Value]) -> None:
    axes = [dim.axis for value in values for dim in value.dims if not is_one(dim.axis)]
    parts = call.layer.split(".") if call.layer else []
    for depth in range(len(parts) + 1):
        reading.touched.setdefault(".".join(parts[:depth]), []).extend(axes)


__all__ = [
    "RULES",
    "AxisRole",
    "Binding",
    "Normalisation",
    "Propagation",
    "Role",
    "RuleContext",
    "follow",
    "is_pointwise",
    "note",
    "read",
    "refs_of",
    "rule",
]
