"""Numbers of classes, channels or words that a module keeps beside its layers: attributes, configs, tables of labels.

The run does not read them: a head reshapes by `num_labels` only when it computes a loss, a `reset_classifier` asks
`num_classes`, `save_pretrained` writes the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from torch import nn

from genewright.backends.torch.attribute_paths import is_settings
from genewright.backends.torch.tensors import named_layers
from genewright.index import Index
from genewright.widths.counts import NAMES, Count, Counts, End

_SMALLEST_TOLD = 2  # an attribute that is 1 says nothing


def counts_beside(model: nn.Module, layers: Sequence[str], index: Index, size: int, end: End) -> Counts:
    """Return the attributes of the model, and of what holds the layers, that have the old number.

    Args:
        model: The module.
        layers: Names of the layers that write or read the width.
        index: For each new unit the old one that it is; -1 for a new one.
        size: The old number.
        end: Which length of the model it is.
    """
    follow: list[Count] = []
    stay: list[str] = []
    seen: set[int] = set()
    for name, layer in named_layers(model):
        if name and not any(one.startswith(f"{name}.") for one in layers):
            continue
        for prefix, held in _holders(layer, seen):
            for attribute, value in held.items():
                path = f"{prefix}{attribute}"
                if attribute.startswith("_"):
                    continue
                if prefix and end == "output":
                    follow.extend(_labels(name, path, value, index, size))
                if isinstance(value, bool) or not isinstance(value, int) or value != size:
                    continue
                if attribute in NAMES[end]:
                    follow.append(Count(name, path, index.size))
                elif not prefix and value >= _SMALLEST_TOLD:
                    stay.append(f"{name}.{path}".lstrip("."))
    stay.extend(
        f"config.{key}" for key, value in _computed_config(model).items() if key in NAMES[end] and value == size
    )
    return Counts(tuple(follow), tuple(stay))


def _computed_config(model: nn.Module) -> Mapping[str, Any]:
    """Return a config that is a property, as a diffusers model's is: it can be read and named, not set."""
    config = model.config if isinstance(getattr(type(model), "config", None), property) else None
    return cast("Mapping[str, Any]", config) if isinstance(config, Mapping) else {}


def _holders(layer: nn.Module, seen: set[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a layer holds itself, and what a config in it holds; a config that layers share comes once."""
    yield "", vars(layer)
    waiting = [("config.", vars(layer).get("config"))]
    while waiting:
        prefix, config = waiting.pop()
        if id(config) in seen or not hasattr(config, "__dict__") or not is_settings(config):
            continue
        seen.add(id(config))
        held = vars(cast(object, config))
        yield prefix, held
        waiting += [(f"{prefix}{key}.", value) for key, value in held.items() if hasattr(value, "to_json_string")]


def _labels(layer: str, path: str, value: Any, index: Index, size: int) -> Iterator[Count]:
    """Yield what becomes of the tables that name classes: old names stay with their classes, new ones are numbered."""
    last = path.rpartition(".")[2]
    if not isinstance(value, dict) or len(cast("dict[Any, Any]", value)) != size:
        return
    table = cast("dict[Any, Any]", value)
    if last == "id2label" and list(table) == list(range(size)):
        yield Count(layer, path, _named([str(table[old]) for old in range(size)], index))
    elif last == "label2id" and sorted(map(str, table.values())) == sorted(map(str, range(size))):
        by_number = {int(number): str(label) for label, number in table.items()}
        names = _named([by_number[old] for old in range(size)], index)
        yield Count(layer, path, {label: number for number, label in enumerate(names)})


def _named(old: list[str], index: Index) -> list[str]:
    names: list[str] = []
    for place, unit in enumerate(index):
        name = old[unit] if unit >= 0 else f"LABEL_{place}"
        while unit < 0 and name in old:
            name += "_new"
        names.append(name)
    return names
