"""What the rule of a layer is handed, and what it can state: which axes are one, their roles, what pins them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from genewright.backends.keras.members import layers_of
from genewright.widths.axes import Axis, Leaf, mix, pin, size_of
from genewright.widths.reasons import Cause, Reason
from genewright.widths.unification import join

Role = Literal["writer", "reader", "carrier", "norm", "group", "table"]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph.

    Attributes:
        axes: Its axes, the batch first.
        nonlinearity: The first nonlinearity since weights made its units: a unit that was the mean of others there is
            not so here. None where there is none.
    """

    axes: tuple[Axis, ...]
    nonlinearity: Reason | None = None


@dataclass(frozen=True, eq=False)
class AxisRole:
    """The role of an axis of a variable, or of a part of that axis."""

    tensor: str
    axis: int
    part: Axis
    role: Role


@dataclass(frozen=True, eq=False)
class Binding:
    """An entry of a layer's config that holds the length of an axis; "key.0" is an entry of a list there.

    `values` are those of a list that has one for each unit.
    """

    layer: str
    key: str
    axis: Axis
    values: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Norm:
    """A layer that normalises across an axis."""

    layer: str
    kind: Literal["layer", "group"]
    axis: Axis
    centred: bool


@dataclass
class Propagation:
    """What the graph of a model says.

    Attributes:
        parameters: The axes of every variable that took part.
        marks: Roles of axes of variables.
        bindings: Entries of configs that follow an axis.
        norms: Norms across units.
        touched: Names of the layers that ran.
        nonlinearities: For norms, by layer, the nonlinearity between the last weights and the norm.
        results: For every call, in order, the class of the layer or operation and the axes of what it returned.
        unknown: Classes without a rule, with how often they were met.
        inputs: The axes of every tensor that the model takes.
        outputs: The axes of every tensor that it returns.
    """

    parameters: dict[str, list[Axis]] = field(default_factory=dict[str, list[Axis]])
    marks: list[AxisRole] = field(default_factory=list[AxisRole])
    bindings: list[Binding] = field(default_factory=list[Binding])
    norms: list[Norm] = field(default_factory=list[Norm])
    nonlinearities: dict[str, Reason] = field(default_factory=dict[str, Reason])
    touched: dict[str, None] = field(default_factory=dict[str, None])
    results: list[tuple[str, tuple[tuple[Axis, ...], ...]]] = field(
        default_factory=list[tuple[str, tuple[tuple[Axis, ...], ...]]]
    )
    unknown: dict[str, int] = field(default_factory=dict[str, int])
    inputs: list[tuple[Axis, ...]] = field(default_factory=list[tuple[Axis, ...]])
    outputs: list[tuple[Axis, ...]] = field(default_factory=list[tuple[Axis, ...]])


@dataclass
class RuleContext:
    """One call of a layer while it is read: what a rule is handed.

    Attributes:
        layer: The layer.
        name: Its name.
        args: Its positional arguments, tensors as `Value`.
        keywords: Its keyword arguments likewise.
        inputs: All tensors among the arguments, in order, but masks: they say which places count.
        shapes: Shapes of the outputs.
        reading: Where roles and bindings are noted.
        tensors: Names of the layer's variables, by their names in the layer.
        home: The layer of the graph whose config holds this one's, for a layer inside a wrapper; else "".
        key: Where in that config it is: "layer.config".
    """

    layer: Any
    name: str
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    inputs: list[Value]
    shapes: list[tuple[int | None, ...]]
    reading: Propagation
    tensors: dict[str, str]
    home: str = ""
    key: str = ""

    def reason(self, cause: Cause, detail: str = "", hint: str = "") -> Reason:
        """Return a reason that names the layer."""
        return Reason(cause, detail, f"{self.name}, a {type(self.layer).__name__}", self.name, hint)

    def parameter(self, attribute: str) -> list[Axis] | None:
        """Return the axes of one of the layer's variables, or None where it has none of that name."""
        name = self.tensors.get(attribute)
        return None if name is None else self.reading.parameters[name]

    def mark(self, attribute: str, axis: int, role: Role, part: Axis | None = None) -> None:
        """Note the role of an axis of a variable; `part` where only a part of the axis is in it."""
        name = self.tensors[attribute]
        axes = self.reading.parameters[name]
        self.reading.marks.append(AxisRole(name, axis % len(axes), axes[axis] if part is None else part, role))

    def join(self, a: Axis, b: Axis) -> None:
        """Make two axes one."""
        join(a, b, self.reason(Cause.LAYOUTS, self.name))

    def carry(self, attribute: str, axis: Axis, place: int = -1, role: Role = "carrier") -> None:
        """Let a variable have one value for each unit of `axis`, where the layer has that variable."""
        axes = self.parameter(attribute)
        if axes is not None:
            self.mark(attribute, place, role)
            self.join(axis, axes[place])

    def bind(self, key: str, axis: Axis, values: tuple[float, ...] = ()) -> None:
        """Note that an entry of the layer's config holds an axis's length, or a list of `values` along it."""
        path = f"{self.key}.{key}" if self.key else key
        self.reading.bindings.append(Binding(self.home or self.name, path, axis, values))

    def bind_list(self, key: str, given: Any, axis: Axis) -> None:
        """Note that an entry of the config may be a list of numbers along an axis; one of another form pins it."""
        numbers: Any = np.asarray(0.0 if given is None else given)
        if numbers.shape == (size_of(axis),):
            self.bind(key, axis, tuple(numbers.tolist()))
        elif numbers.size > 1 or numbers.ndim:
            self.pin(axis, Cause.CONSTANT, f"the {key} in the config is of the shape {numbers.shape}")

    def norm(self, kind: Literal["layer", "group"], axis: Axis, *, centred: bool) -> None:
        """Note that the layer normalises across an axis."""
        if self.home:  # what allows for a norm changes its config, and this one is part of another layer's
            self.mix(axis, Cause.NORMALISED, "a norm inside another layer")
        else:
            self.reading.norms.append(Norm(self.name, kind, axis, centred))
            nonlinearity = self.inputs[0].nonlinearity
            if nonlinearity is not None:
                self.reading.nonlinearities.setdefault(self.name, nonlinearity)

    def pin(self, axis: Axis, cause: Cause, detail: str = "") -> None:
        """Note why an axis cannot change."""
        pin(axis, self.reason(cause, detail))

    def mix(self, axis: Axis, cause: Cause, detail: str = "") -> None:
        """Note that the layer looks across the units of an axis."""
        mix(axis, self.reason(cause, detail))

    def fresh(self, size: int | None, cause: Cause = Cause.SPACE, detail: str = "") -> Axis:
        """Return a pinned axis of its own."""
        return self._fresh(size, self.reason(cause, detail))

    @staticmethod
    def _fresh(size: int | None, reason: Reason) -> Axis:
        return Leaf(1 if size is None else size, pins=[reason])

    def pinned(self, cause: Cause, detail: str = "", hint: str = "") -> list[Value]:
        """Pin all that goes through, and return outputs of their own."""
        reason = self.reason(cause, detail, hint)
        for value in self.inputs:
            for axis in value.axes:
                pin(axis, reason)
        for name in self.tensors.values():
            for axis in self.reading.parameters[name]:
                pin(axis, reason)
        return [Value(tuple(self._fresh(size, reason) for size in shape)) for shape in self.shapes]

    def inside(self, layer: Any, key: str, inputs: list[Value], shapes: list[tuple[int | None, ...]]) -> RuleContext:
        """Return the step of a layer that this one holds, and whose config is at `key` in this one's."""
        path = next(path for path, found in layers_of(self.layer).items() if found is layer)
        own = {k.removeprefix(f"{path}."): name for k, name in self.tensors.items() if k.startswith(f"{path}.")}
        return RuleContext(
            layer=layer,
            name=f"{self.name}.{path}",
            args=tuple(inputs),
            keywords={},
            inputs=inputs,
            shapes=shapes,
            reading=self.reading,
            tensors=own,
            home=self.home or self.name,
            key=f"{self.key}.{key}" if self.key else key,
        )

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
        for at, axis in enumerate(value.axes):
            if at not in (0, place):
                self.pin(axis, Cause.SPACE)
        axes = [self.fresh(size) for size in self.shapes[0]]
        axes[0], axes[place] = value.axes[0], channels
        return [Value(tuple(axes))]
