"""Attributes that hold sizes (in_features, num_channels, ...): which of them follow a width."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, cast

from torch import nn

from genewright.backends.torch.attribute_paths import value_at
from genewright.backends.torch.structure.propagation import Binding, Propagation
from genewright.widths.axes import Leaf, leaves, resized, size_of
from genewright.widths.knob import Attribute

# Attributes of torch's own layers that hold the length of an axis of one of their tensors. Norms and convolutions are
# not here: their rules bind attributes to what they ran on, since a layer without gains has no tensor to go by.
TABLE: dict[type[nn.Module], dict[tuple[str, int], str]] = {
    nn.Linear: {("weight", 0): "out_features", ("weight", 1): "in_features"},
    nn.Bilinear: {("weight", 0): "out_features", ("weight", 1): "in1_features", ("weight", 2): "in2_features"},
    nn.Embedding: {("weight", 0): "num_embeddings", ("weight", 1): "embedding_dim"},
    nn.EmbeddingBag: {("weight", 0): "num_embeddings", ("weight", 1): "embedding_dim"},
}

_MOST_PAIRED = 6  # every try is a run; the innermost layers' attributes come first


def add_table(reading: Propagation) -> None:
    """Add what the table says of known layers to the bindings that their rules noted."""
    for path, layer in reading.layers.items():
        for kind, rows in TABLE.items():
            if isinstance(layer, kind):
                for (attribute, axis), holder in rows.items():
                    value = reading.parameters.get(reading.first_names.get(f"{path}.{attribute}".lstrip("."), ""))
                    if value is not None:
                        reading.bindings.append(Binding(path, holder, value.dims[axis].axis))


def bound_attributes(reading: Propagation, leaf: Leaf) -> Iterator[str]:
    """Yield the names of the attributes that hold the length of an axis with `leaf` in it, once each."""
    seen: set[str] = set()
    for binding in reading.bindings:
        if any(leaf is inner for inner in leaves(binding.axis)):
            name = f"{binding.layer}.{binding.attribute}".lstrip(".")
            if name not in seen:
                seen.add(name)
                yield name


def bound(reading: Propagation, sizes: Mapping[Leaf, int]) -> list[Attribute]:
    """Return the attributes of known layers that change when some widths get other sizes."""
    out: dict[tuple[str, str], Attribute] = {}
    for binding in reading.bindings:
        if not any(inner in sizes for inner in leaves(binding.axis)):
            continue
        path = binding.attribute if binding.entry is None else f"{binding.attribute}.{binding.entry}"
        if binding.attribute not in vars(reading.layers[binding.layer]):
            continue  # a property, or an attribute of the class: what is computed from others is not set
        old = value_at(reading.layers[binding.layer], path)
        new = resized(binding.axis, sizes)
        if isinstance(old, int) and old == size_of(binding.axis):
            out[binding.layer, path] = Attribute(binding.layer, path, old, new)
    return list(out.values())


def guesses(reading: Propagation, sizes: Mapping[Leaf, int], known: list[Attribute]) -> list[list[Attribute]]:
    """Return other attributes that may hold such a length, by name: equal to one in a layer that it runs through.

    Those of the innermost layers come first.
    """
    taken = {(a.layer, a.path) for a in known}
    groups: dict[tuple[str, str, int], list[Attribute]] = {}
    for path, axes in reading.touched.items():
        lengths: dict[int, int] = {}
        for axis in axes:
            if any(inner in sizes for inner in leaves(axis)):
                lengths.setdefault(size_of(axis), resized(axis, sizes))
        if not lengths:
            continue
        layer = reading.layers[path]
        for attribute, old in _lengths_held(layer):
            if old in lengths and (path, attribute) not in taken:
                key = (type(layer).__name__, attribute, old)
                groups.setdefault(key, []).append(Attribute(path, attribute, old, lengths[old]))
    return sorted(groups.values(), key=lambda group: -max(a.layer.count(".") + bool(a.layer) for a in group))


def together(groups: list[list[Attribute]]) -> list[list[Attribute]]:
    """Return what has to change at once where one change alone does not help: the entries of a list, and any two."""
    lists: dict[str, list[Attribute]] = {}
    for group in groups:
        head, _, entry = group[0].path.rpartition(".")
        if entry.isdecimal():
            lists.setdefault(f"{[a.layer for a in group]} {head}", []).extend(group)
    whole = [entries for entries in lists.values() if len({entry.path for entry in entries}) > 1]
    pairs = [[*a, *b] for a, b in itertools.combinations(groups[:_MOST_PAIRED], 2)]
    return [*whole, *pairs]


def _lengths_held(layer: nn.Module) -> Iterator[tuple[str, int]]:
    for name, value in vars(layer).items():
        if name.startswith("_") or name == "training":
            continue
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            yield name, value
        elif isinstance(value, tuple | list):
            for position, entry in enumerate(cast("list[Any]", value)):
                if isinstance(entry, int) and not isinstance(entry, bool) and entry > 0:
                    yield f"{name}.{position}", entry
