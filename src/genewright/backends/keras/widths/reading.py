"""Reading the graph of a Keras model: every layer states which axes are one, by the rule of its class.

A layer without a rule pins all that goes through it, and says so. A rule for a layer of your own:

    from genewright.backends.keras.widths.reading import Step, Value, rule

    @rule(MyLayer)
    def my_layer(step: Step) -> list[Value]:
        return [step.inputs[0]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph, layers_of, members_of
from genewright.widths.axes import Axis, Leaf, Reason, leaves, mix, pin, size_of
from genewright.widths.joining import join

Role = Literal["writer", "reader", "carrier", "norm", "group"]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph as its axes, the batch first."""

    axes: tuple[Axis, ...]


Rule = Callable[["Step"], list[Value]]
RULES: dict[type, Rule] = {}
NAMED: dict[str, Rule] = {}


def rule(*kinds: type) -> Callable[[Rule], Rule]:
    """Register the rule of some layer classes; a subclass has it too, unless it computes otherwise."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES[kind] = function
        return function

    return register


def named_rule(name: str) -> Callable[[Rule], Rule]:
    """Register the rule of a layer class of Keras's own that has no public name."""

    def register(function: Rule) -> Rule:
        NAMED[name] = function
        return function

    return register


@dataclass(frozen=True, eq=False)
class Mark:
    """The role of an axis of a variable, or of a part of that axis."""

    tensor: str
    axis: int
    part: Axis
    role: Role


@dataclass(frozen=True, eq=False)
class Binding:
    """An entry of a layer's config that holds the length of an axis; "key.0" is an entry of a list."""

    layer: str
    key: str
    axis: Axis


@dataclass(frozen=True, eq=False)
class Norm:
    """A layer that normalises across an axis."""

    layer: str
    kind: Literal["layer", "group"]
    axis: Axis
    centred: bool


@dataclass
class Reading:
    """What the graph of a model says.

    Attributes:
        parameters: The axes of every variable that took part.
        marks: Roles of axes of variables.
        bindings: Entries of configs that follow an axis.
        norms: Norms across units.
        touched: Names of the layers that ran.
        unknown: Classes without a rule, with how often they were met.
    """

    parameters: dict[str, list[Axis]] = field(default_factory=dict[str, list[Axis]])
    marks: list[Mark] = field(default_factory=list[Mark])
    bindings: list[Binding] = field(default_factory=list[Binding])
    norms: list[Norm] = field(default_factory=list[Norm])
    touched: dict[str, None] = field(default_factory=dict[str, None])
    unknown: dict[str, int] = field(default_factory=dict[str, int])


@dataclass
class Step:
    """One call of a layer while it is read: what a rule is handed.

    Attributes:
        layer: The layer.
        name: Its name.
        args: Its positional arguments, tensors as `Value`.
        keywords: Its keyword arguments likewise.
        inputs: All tensors among the arguments, in order.
        shapes: Shapes of the outputs.
        reading: Where roles and bindings are noted.
        tensors: Names of the layer's variables, by their names in the layer.
    """

    layer: Any
    name: str
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    inputs: list[Value]
    shapes: list[tuple[int | None, ...]]
    reading: Reading
    tensors: dict[str, str]

    def reason(self, text: str) -> Reason:
        """Return a reason that names the layer."""
        return Reason(text, f"{self.name}, a {type(self.layer).__name__}")

    def parameter(self, attribute: str) -> list[Axis] | None:
        """Return the axes of one of the layer's variables, or None where it has none of that name."""
        name = self.tensors.get(attribute)
        return None if name is None else self.reading.parameters[name]

    def mark(self, attribute: str, axis: int, role: Role, part: Axis | None = None) -> None:
        """Note the role of an axis of a variable; `part` where only a part of the axis is in it."""
        name = self.tensors[attribute]
        axes = self.reading.parameters[name]
        self.reading.marks.append(Mark(name, axis % len(axes), axes[axis] if part is None else part, role))

    def join(self, a: Axis, b: Axis) -> None:
        """Make two axes one."""
        join(a, b, self.reason("two layouts meet that do not fit"))

    def carry(self, attribute: str, axis: Axis, place: int = -1, role: Role = "carrier") -> None:
        """Let a variable have one value for each unit of `axis`, where the layer has that variable."""
        axes = self.parameter(attribute)
        if axes is not None:
            self.mark(attribute, place, role)
            self.join(axis, axes[place])

    def bind(self, key: str, axis: Axis) -> None:
        """Note that an entry of the layer's config holds an axis's length."""
        self.reading.bindings.append(Binding(self.name, key, axis))

    def pin(self, axis: Axis, text: str) -> None:
        """Note why an axis cannot change."""
        pin(axis, self.reason(text))

    def mix(self, axis: Axis, text: str) -> None:
        """Note that the layer looks across the units of an axis."""
        mix(axis, self.reason(text))

    def fresh(self, size: int | None, text: str = "it is a length of an image or a sequence") -> Axis:
        """Return a pinned axis of its own."""
        return Leaf(1 if size is None else size, pins=[self.reason(text)])

    def pinned(self, text: str) -> list[Value]:
        """Pin all that goes through, and return outputs of their own."""
        for value in self.inputs:
            for axis in value.axes:
                self.pin(axis, text)
        for name in self.tensors.values():
            for axis in self.reading.parameters[name]:
                self.pin(axis, text)
        return [Value(tuple(self.fresh(size, text) for size in shape)) for shape in self.shapes]

    def places(self, value: Value) -> list[int]:
        """Return the axes that the layer's `axis` names."""
        given: Any = self.layer.axis
        every = cast("list[Any]", given) if isinstance(given, list | tuple) else [given]
        return [int(place) % len(value.axes) for place in every]

    def channel(self, value: Value) -> int:
        """Return which axis of an image or sequence its channels are."""
        first = getattr(self.layer, "data_format", None) == "channels_first"
        return 1 if first else len(value.axes) - 1

    def shaped(self, value: Value, channels: Axis) -> list[Value]:
        """Return an output whose places are its own, and whose channels are the given ones."""
        place = self.channel(value)
        axes = [self.fresh(size) for size in self.shapes[0]]
        axes[0], axes[place] = value.axes[0], channels
        return [Value(tuple(axes))]


def read(model: Any) -> Reading:
    """Read a Functional or Sequential model from its inputs to its outputs."""
    reader = _Reader(model)
    inner = _graph(model)
    inputs = [reader.fresh(t.shape, "it is a length of the model's input") for t in inner._inputs]
    outputs = reader.run(inner, "", inputs)
    for value in outputs:
        for axis in value.axes:
            pin(axis, Reason("it is a length of the model's output"))
    return reader.reading


class _Reader:
    def __init__(self, model: Any) -> None:
        self.reading = Reading()
        self._names: dict[int, str] = {}
        for path, layer in layers_of(model).items():
            self._names.setdefault(id(layer), path)
        self._tensors: dict[int, dict[str, str]] = {}
        everything = members_of(model)
        for name, member in everything.items():
            self.reading.parameters[name] = [Leaf(int(size)) for size in member.variable.shape]
        by_variable = {id(member.variable): name for name, member in everything.items()}
        for layer in layers_of(model).values():
            own = [*layer._trainable_variables, *layer._non_trainable_variables]
            known = {str(v.name): by_variable[id(v)] for v in own if id(v) in by_variable}
            self._tensors[id(layer)] = known

    def fresh(self, shape: Sequence[int | None], text: str) -> Value:
        return Value(tuple(Leaf(1 if size is None else size, pins=[Reason(text)]) for size in shape))

    def run(self, model: Any, path: str, inputs: list[Value]) -> list[Value]:
        known = dict(zip(map(id, model._inputs), inputs, strict=True))
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.operation or node.is_input:
                    continue
                outputs = self._call(node, path, known)
                for tensor, value in zip(node.outputs, outputs, strict=True):
                    known[id(tensor)] = value
        return [known[id(tensor)] for tensor in model._outputs]

    def _call(self, node: Any, path: str, known: dict[int, Value]) -> list[Value]:
        layer = node.operation
        name = self._names.get(id(layer)) or (f"{path}.{layer.name}" if path else str(layer.name))
        self.reading.touched.setdefault(name)
        inputs = [known[id(tensor)] for tensor in node.input_tensors]
        if is_graph(layer):
            return self.run(_graph(layer), name, inputs)
        args, keywords = node.arguments.fill_in(known)
        step = Step(
            layer=layer,
            name=name,
            args=tuple(args),
            keywords=dict(keywords),
            inputs=inputs,
            shapes=[tuple(tensor.shape) for tensor in node.outputs],
            reading=self.reading,
            tensors=self._all_tensors(layer),
        )
        found = _rule_of(layer)
        if found is None:
            kind = type(layer).__name__
            self.reading.unknown[kind] = self.reading.unknown.get(kind, 0) + 1
            return step.pinned(_no_rule(kind))
        values = found(step)
        fits = len(values) == len(step.shapes) and all(
            len(v.axes) == len(s) and all(n is None or size_of(a) == n for a, n in zip(v.axes, s, strict=True))
            for v, s in zip(values, step.shapes, strict=True)
        )
        return values if fits else step.pinned(f"the rule of {type(layer).__name__} does not fit here")

    def _all_tensors(self, layer: Any) -> dict[str, str]:
        """Return the variables of a layer and of those inside it, by "query.kernel" for an inner one."""
        tensors = dict(self._tensors.get(id(layer), {}))
        if isinstance(layer, keras.layers.Layer):
            for path, inner in layers_of(layer).items():
                own = self._tensors.get(id(inner), {})
                tensors |= {f"{path}.{attribute}": name for attribute, name in own.items()}
        return tensors


def _graph(model: Any) -> Any:
    return model._functional if isinstance(model, keras.Sequential) else model


def _rule_of(layer: Any) -> Rule | None:
    for kind in type(layer).__mro__:
        if kind in RULES:
            same = type(layer).call is kind.call  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
            return RULES[kind] if same else None
    own = type(layer).__module__.startswith("keras.")
    return NAMED.get(type(layer).__name__) if own else None


def _no_rule(kind: str) -> str:
    known = ", ".join(sorted(k.__name__ for k in RULES if issubclass(k, keras.layers.Layer)))
    return (
        f"no rule says what a {kind} does to widths. There are rules for {known}; add one with "
        "genewright.backends.keras.widths.reading.rule"
    )


def used_leaves(axes: Sequence[Axis]) -> list[Leaf]:
    """Return the widths in some axes, each once."""
    return list(dict.fromkeys(leaf for axis in axes for leaf in leaves(axis)))
