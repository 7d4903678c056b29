"""Reading the graph of a Keras model: every layer states which axes are one, by the rule of its class.

A layer without a rule pins all that goes through it, and says so. A rule for a layer of your own:

    from genewright.backends.keras.widths.propagation import RuleContext, Value, rule

    @rule(MyLayer)
    def my_layer(step: RuleContext) -> list[Value]:
        return [step.inputs[0]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from genewright.backends.keras.input_shapes import input_path
from genewright.backends.keras.library import keras
from genewright.backends.keras.members import Member, is_graph, layers_of, members_of
from genewright.backends.keras.tracing import inner_graph, is_traceable, traced
from genewright.backends.keras.widths.nonlinearity import after_nonlinearity
from genewright.backends.keras.widths.rule_context import Binding
from genewright.backends.keras.widths.rule_context import Propagation as Propagation
from genewright.backends.keras.widths.rule_context import RuleContext as RuleContext
from genewright.backends.keras.widths.rule_context import Value as Value
from genewright.errors import UnsupportedError
from genewright.widths.axes import Axis, Leaf, leaves, pin, size_of
from genewright.widths.reasons import Cause, Reason

Rule = Callable[["RuleContext"], list[Value]]
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


def read(model: Any) -> Propagation:
    """Read a model from its inputs to its outputs; a subclassed one as it runs in use, and as it runs in training."""
    reader = _Reader(model)
    for training in (False,) if is_graph(model) else (False, True):
        reader.training = training
        inner = _graph(model) if is_graph(model) else traced(model, training=training)
        inputs = [reader.fresh(t.shape) for t in inner._inputs]
        outputs = reader.run(inner, "", inputs)
        _note_ends(reader.reading, inputs, outputs, graph=is_graph(model))
        for value in outputs:
            for axis in value.axes:
                pin(axis, Reason(Cause.OUTPUT))
    if not is_graph(model):
        reader.refuse_unreached()
    return reader.reading


def _note_ends(reading: Propagation, inputs: Sequence[Value], outputs: Sequence[Value], *, graph: bool) -> None:
    reading.inputs = [value.axes for value in inputs]
    reading.outputs = [value.axes for value in outputs]
    for number, axes in enumerate(reading.inputs):
        for place, axis in enumerate(axes):
            if graph:
                reading.bindings.append(Binding("", input_path(number, place), axis))
            else:
                pin(axis, Reason(Cause.OTHER, "a subclassed model takes what it was built for"))


class _Reader:
    def __init__(self, model: Any) -> None:
        self.training = False
        self._model = model
        self._ran: set[str] = set()
        self.reading = Propagation()
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
            self._tensors[id(layer)] = {
                _attribute(everything[by_variable[id(v)]], layer, v): by_variable[id(v)]
                for v in own
                if id(v) in by_variable
            }

    def fresh(self, shape: Sequence[int | None]) -> Value:
        return Value(tuple(Leaf(1 if size is None else size, pins=[Reason(Cause.INPUT)]) for size in shape))

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
        if is_graph(layer):
            if not is_graph(self._model):  # it is made again by itself, for the inputs that it says
                for tensor in node.input_tensors:
                    for axis in known[id(tensor)].axes:
                        pin(axis, Reason(Cause.NESTED_INPUT, repr(name)))
            return self.run(_graph(layer), name, [known[id(tensor)] for tensor in node.input_tensors])
        if not is_graph(self._model) and is_traceable(layer) and _rule_of(layer) is None:
            every = (self._model, *layers_of(self._model).values())
            try:
                args, keywords = node.arguments.args, node.arguments.kwargs
                inner = inner_graph(layer, args, keywords, every, training=self.training)
            except Exception:  # its code takes no symbolic tensors: then nothing that it holds or receives can change
                inner = None
            if inner is not None and len(inner._inputs) == len(node.input_tensors):
                return self.run(inner, name, [known[id(tensor)] for tensor in node.input_tensors])
        self._ran.add(name)
        args, keywords = node.arguments.fill_in(known)
        given = (args, {key: value for key, value in keywords.items() if not key.endswith("mask")})
        inputs = [value for value in keras.tree.flatten(given) if isinstance(value, Value)]
        step = RuleContext(
            layer=layer,
            name=name,
            args=tuple(args),
            keywords=dict(keywords),
            inputs=inputs,
            shapes=[tuple(tensor.shape) for tensor in node.outputs],
            reading=self.reading,
            tensors=self._all_tensors(layer),
        )
        before = len(self.reading.marks)
        values = outputs_of(step)
        written = any(mark.role == "writer" for mark in self.reading.marks[before:])
        values = after_nonlinearity(step, values, written=written)
        self.reading.results.append((type(layer).__name__, tuple(value.axes for value in values)))
        return values

    def refuse_unreached(self) -> None:
        """Refuse a subclassed model with weights that its code does not use: other code of it may."""
        for name, member in members_of(self._model).items():
            if not any(member.layer == ran or member.layer.startswith(f"{ran}.") for ran in self._ran):
                raise UnsupportedError(
                    f"{self._model.name!r} of class {type(self._model).__name__} is a subclassed model whose call does "
                    f"not reach {name!r} through a layer, so what else uses it is unknown. Use it in call, or leave it "
                    "out; or build the model with the Functional API."
                )

    def _all_tensors(self, layer: Any) -> dict[str, str]:
        """Return the variables of a layer and of those inside it, by "query.kernel" for an inner one."""
        tensors = dict(self._tensors.get(id(layer), {}))
        if isinstance(layer, keras.layers.Layer):
            for path, inner in layers_of(layer).items():
                own = self._tensors.get(id(inner), {})
                tensors |= {f"{path}.{attribute}": name for attribute, name in own.items()}
        return tensors


def outputs_of(step: RuleContext) -> list[Value]:
    """Apply the rule of a step's layer; without one, or where it does not fit, pin everything."""
    found = _rule_of(step.layer)
    if found is None:
        kind = type(step.layer).__name__
        step.reading.unknown[kind] = step.reading.unknown.get(kind, 0) + 1
        return step.pinned(Cause.UNKNOWN_OPERATION, f"a {kind}", _known())
    values = found(step)
    fits = len(values) == len(step.shapes) and all(
        len(v.axes) == len(s) and all(n is None or size_of(a) == n for a, n in zip(v.axes, s, strict=True))
        for v, s in zip(values, step.shapes, strict=True)
    )
    return values if fits else step.pinned(Cause.RULE_MISFIT, type(step.layer).__name__)


def _attribute(member: Member, layer: Any, variable: Any) -> str:
    """Return a variable's name in its layer: that of the attribute, where Keras has numbered the variable."""
    return member.attribute if member.owner is layer else str(variable.name)


def _graph(model: Any) -> Any:
    return model._functional if isinstance(model, keras.Sequential) else model


def _rule_of(layer: Any) -> Rule | None:
    for kind in type(layer).__mro__:
        if kind in RULES:
            same = type(layer).call is kind.call  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
            return RULES[kind] if same else None
    own = type(layer).__module__.startswith("keras.")
    return NAMED.get(type(layer).__name__) if own else None


def _known() -> str:
    known = ", ".join(sorted(k.__name__ for k in RULES if issubclass(k, keras.layers.Layer)))
    return f"There are rules for {known}; add one with genewright.backends.keras.widths.reading.rule"


def used_leaves(axes: Sequence[Axis]) -> list[Leaf]:
    """Return the widths in some axes, each once."""
    return list(dict.fromkeys(leaf for axis in axes for leaf in leaves(axis)))
