"""Trying new widths on a copy: the model is made again with them, and has to compute what the axes say.

A graph is made again along itself, a subclassed model by its own class. Then the shapes of all variables, and the
graph that its code makes of symbolic tensors, operation by operation, are compared with what the axes say. No weight
is drawn, read or copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genewright.backends.keras.cloning import preserve_python_random
from genewright.backends.keras.configs import with_entry
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.input_shapes import with_length
from genewright.backends.keras.library import error_text
from genewright.backends.keras.members import is_graph, is_of_keras, layers_of, members_of
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.snapshot import snapshot
from genewright.backends.keras.subclassed import remade
from genewright.backends.keras.swap_layers import replacement_layers, swap_layers
from genewright.backends.keras.widths.propagation import Propagation, read, used_leaves
from genewright.errors import UnsupportedError
from genewright.widths.axes import Axis, Leaf, leaves, resized, size_of
from genewright.widths.knob import Attribute, Knob


class Trials:
    """What can be tried on a model that was read.

    Attributes:
        model: The model; it stays as it is.
        reading: What its graph says.
    """

    def __init__(self, model: Any, reading: Propagation) -> None:
        self.model = model
        self.reading = reading
        self._copy: Any = None
        self._entries: dict[tuple[str, str], list[Axis]] = {}
        self._lists: dict[tuple[str, str], tuple[float, ...]] = {}
        for binding in reading.bindings:
            self._entries.setdefault((binding.layer, binding.key), []).append(binding.axis)
            if binding.values:
                self._lists[binding.layer, binding.key] = binding.values
        self._known: dict[frozenset[tuple[Leaf, int]], str] = {}
        self._own_code = not is_graph(model) or not all(
            is_graph(x) or is_of_keras(x) for x in layers_of(model).values()
        )

    def resolve_attributes(self, knob: Knob, size: int, beside: Sequence[Knob] = ()) -> tuple[Attribute, ...]:
        """Return the entries of configs that have to follow for `knob` to have `size` units.

        It is tried where code of the user's own runs, which may name a size; what layers of Keras do, the rules say.

        Raises:
            UnsupportedError: It cannot have that many; the reason is named.
        """
        sizes = {one.leaf: size for one in (knob, *beside)}
        reason = self.fails(sizes) if self._own_code else ""
        if not reason:
            try:
                return self.attributes(sizes)
            except UnsupportedError as error:
                reason = error_text(error)
        raise UnsupportedError(_refusal(knob, size, reason))

    def attributes(self, sizes: Mapping[Leaf, int]) -> tuple[Attribute, ...]:
        """Return the entries of configs that have to follow when some widths have other sizes.

        Raises:
            UnsupportedError: One entry would have to hold two numbers, which are said, or a list is of several widths.
        """
        found: list[Attribute] = []
        for (layer, key), axes in self._entries.items():
            old, new = [size_of(axis) for axis in axes], [resized(axis, sizes) for axis in axes]
            if old == new:
                continue
            if len(set(new)) > 1:
                raise UnsupportedError(f"{layer}.{key} would be {min(new)} at one place and {max(new)} at another.")
            values = self._lists.get((layer, key), ())
            if values and any(len(list(leaves(axis))) > 1 for axis in axes):
                raise UnsupportedError(f"{layer}.{key} is a list along this width and others, laid out together.")
            found.append(Attribute(layer, key, old[0], new[0], values))
        return tuple(found)

    def refusals(self, knobs: Sequence[Knob]) -> dict[str, str]:
        """Return which of these knobs cannot have one unit more, by name, and why."""
        found: dict[str, str] = {}
        for knob in knobs:
            try:
                self.attributes({knob.leaf: knob.size + 1})
            except UnsupportedError as error:
                found[knob.name] = _refusal(knob, knob.size + 1, error_text(error)).removesuffix(".")
        found |= self._halved([knob for knob in knobs if knob.name not in found])
        self._copy = None
        return found

    def _halved(self, knobs: Sequence[Knob]) -> dict[str, str]:
        """Try knobs together, then by halves; with one to three units more, for code may compare two widths."""
        if not knobs:
            return {}
        reason = self.fails({knob.leaf: knob.size + 1 + at % 3 for at, knob in enumerate(knobs)})
        if not reason:
            return {}
        if len(knobs) == 1:
            return {knobs[0].name: _refusal(knobs[0], knobs[0].size + 1, reason).removesuffix(".")}
        half = len(knobs) // 2
        return {**self._halved(knobs[:half]), **self._halved(knobs[half:])}

    def fails(self, sizes: Mapping[Leaf, int]) -> str:
        """Return why the model does not compute as the axes say when widths have these sizes, or ""."""
        key = frozenset(sizes.items())
        if key not in self._known:
            self._known[key] = self._tried(sizes)
        return self._known[key]

    def _tried(self, sizes: Mapping[Leaf, int]) -> str:
        try:
            with preserve_python_random():
                changes = Changes(configs=self._configs(self.attributes(sizes)))
                if is_graph(self.model):
                    return self._otherwise(Rebuilder(self.model, changes).model(), sizes)
                return self._exchanged(changes, sizes)
        except Exception as error:
            return error_text(error).partition(" Arguments received by")[0] or type(error).__name__

    def _exchanged(self, changes: Changes, sizes: Mapping[Leaf, int]) -> str:
        if self._copy is None:
            self._copy = remade(self.model)
        held = {name.rpartition(".")[0] for name in self._touched(sizes)}
        fresh, _ = replacement_layers(self._copy, changes, [name for name in layers_of(self._copy) if name in held])
        restore = snapshot(self._copy)
        try:
            swap_layers(self._copy, fresh)
            return self._otherwise(self._copy, sizes)
        finally:
            restore()

    def _touched(self, sizes: Mapping[Leaf, int]) -> list[str]:
        """Return the variables whose shapes become other ones."""
        parameters = self.reading.parameters.items()
        return [name for name, axes in parameters if not sizes.keys().isdisjoint(used_leaves(axes))]

    def _configs(self, attributes: Sequence[Attribute]) -> dict[str, dict[str, Any]]:
        layers = layers_of(self.model)
        configs: dict[str, dict[str, Any]] = {}
        for attribute in attributes:
            changed = configs.setdefault(attribute.layer, {})
            if not attribute.layer:
                configs[""] = with_length(changed, attribute.path, attribute.new, self.model)
                continue
            whole = {**layers[attribute.layer].get_config(), **changed}
            key = attribute.path.partition(".")[0]
            times = -(-attribute.new // attribute.old)
            new = list(attribute.values * times)[: attribute.new] if attribute.values else attribute.new
            changed[key] = with_entry(whole, attribute.path, new)[key]
        return configs

    def _otherwise(self, new: Any, sizes: Mapping[Leaf, int]) -> str:
        """Return where the new model differs from what is expected of it, or ""."""
        expected = {
            name: _lengths(self.reading.parameters[first], sizes)
            for first, member in members_of(self.model).items()
            for name in member.names
        }
        shapes = {n: tuple(m.variable.shape) for m in members_of(new).values() for n in m.names}
        for name, shape in expected.items():
            if shapes.get(name) != shape:
                return f"{name} would have the shape {shapes.get(name)}, where {shape} is needed"
        found, before = read(new).results, self.reading.results
        for (kind, values), (old_kind, old_values) in zip(found, before, strict=False):
            if kind != old_kind:
                return f"{kind} would run where {old_kind} did"
            made, needed = [_lengths(axes, {}) for axes in values], [_lengths(axes, sizes) for axes in old_values]
            if made != needed:
                return f"{kind} would return the shapes {made}, where {needed} are needed"
        if len(found) != len(before):
            return f"{len(found)} operations would run, where {len(before)} did"
        return ""


def _refusal(knob: Knob, size: int, reason: str) -> str:
    why = reason.removesuffix(" Nothing has been changed.").removesuffix(".")
    return f"{knob.name!r} cannot have {size} units instead of {knob.size}: {why}."


def _lengths(axes: Sequence[Axis], sizes: Mapping[Leaf, int]) -> tuple[int, ...]:
    return tuple(resized(axis, sizes) for axis in axes)
