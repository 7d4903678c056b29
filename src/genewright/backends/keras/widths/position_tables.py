"""Tables of positions in a Keras model: a layer of the user's own that says its length, or a plain embedding.

Keras has no layer for learned positions. Layers that hold them say how many there are in their config, under a name
that means it; a model made again with another number there has a longer table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import Member, layers_of, members_of
from genewright.widths.counts import POSITION_NAMES
from genewright.widths.positions import PositionTable, PositionTables

_NAMES = POSITION_NAMES["sequence"] | {"length", "input_length", "num_tokens"}


def position_tables(model: Any) -> PositionTables:
    """Return the tables of positions of a model."""
    members = members_of(model)
    learned: list[PositionTable] = []
    named: list[PositionTable] = []
    others: list[tuple[str, str]] = []
    for path, layer in layers_of(model).items():
        inside = {name: one for name, one in members.items() if f"{one.layer}.".startswith(f"{path}.")}
        if isinstance(layer, keras.layers.Embedding):
            for name in inside:
                table = PositionTable(path, name, (0,), (int(layer.input_dim),))
                (learned if _is_counted(layer) else named).append(table)
        elif not type(layer).__module__.startswith("keras.") and not isinstance(layer, keras.Model):
            for _, length in lengths_of(layer):
                found = list(_tables(path, inside, length))
                if len(found) == 1:
                    learned.append(found[0])
                elif found:
                    both = " and ".join(repr(table.tensor) for table in found[:2])
                    others.append((path, f"{both} are both {length} long, and nothing says which holds positions"))
    inner = {table.tensor for table in learned}
    return PositionTables(tuple(learned), tuple(others), tuple(t for t in named if t.tensor not in inner))


def lengths_of(layer: Any) -> Iterator[tuple[str, int]]:
    """Yield the entries of a layer's config that say how many positions there are."""
    try:
        config: Mapping[str, Any] = layer.get_config()
    except Exception:  # a layer that cannot be made again has no length to change
        return
    for key, value in config.items():
        if key in _NAMES and type(value) is int and value > 1:
            yield key, value


def _tables(path: str, inside: Mapping[str, Member], length: int) -> Iterator[PositionTable]:
    for name, member in inside.items():
        axes = [axis for axis, size in enumerate(member.variable.shape) if size == length]
        if len(axes) == 1 and len(member.variable.shape) > 1:
            yield PositionTable(path, name, (axes[0],), (length,))


def _is_counted(layer: Any) -> bool:
    """Whether an embedding of a graph looks up what was computed, and not what the model takes."""
    nodes = [node for node in layer._inbound_nodes if node.input_tensors]
    sources = [tensor._keras_history.operation for node in nodes for tensor in node.input_tensors]
    return bool(sources) and not any(isinstance(source, keras.layers.InputLayer) for source in sources)
