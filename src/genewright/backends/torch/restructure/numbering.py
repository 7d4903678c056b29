"""Keeping what counts layers in step: indices in the layers, counts and lists in their owner and in configs.

torch has no word for any of these, so all of them are guessed from names and values. An integer such as `layer_idx` is
an index where all layers count in the same way; one such as `num_layers` counts the layers where it has their number. A
list such as `layer_types` has an entry a layer where it has as many; an increasing list such as `mlp_only_layers` names
layers by their numbers. Configs of known libraries are changed by their integration, which knows their names.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from torch import nn

from genewright.backends.torch.attribute_paths import set_value
from genewright.backends.torch.integrations import Change, integrations
from genewright.backends.torch.tensors import named_layers
from genewright.journal import Journal

_INDEX = re.compile(r"(layer|block|self|attn|cur)?_?(idx|index|id|number|num|i)")
_COUNT = re.compile(r"(num|n)_?(hidden_)?(layers?|blocks?)|depth")
_LIST = re.compile(r".*(layer|block)(?!.*(idx|id|indices|ids)).*")
_NUMBERS = re.compile(r"(?!.*(out|stage|channel|token|feature|proj)).*(layers|layer_ids|layer_indices|attn_idxs)")
_PLAIN = (str, int, float, bool, type(None))


def renumber(model: nn.Module, container: nn.Module, order: Sequence[int], journal: Journal, *, before: int) -> None:
    """Adapt numbers to a container whose layers have been inserted, removed or moved.

    Args:
        model: The whole model.
        container: A chain or list; it holds its new layers already.
        order: For each layer now there, the position that it, or what it is a copy of, had before.
        journal: Remembers what changes.
        before: How many layers there were.
    """
    for change in list(_index_changes(container, order)):
        set_value(*change, journal)
    name = next(n for n, m in named_layers(model) if m is container)
    owner = model.get_submodule(name.rpartition(".")[0])
    for change in list(_owner_changes(owner, before, order)):
        set_value(*change, journal)
    if isinstance(container, nn.ModuleList):
        for change in list(_config_changes(model, name, before, order)):
            set_value(*change, journal)


def _index_changes(container: nn.Module, order: Sequence[int]) -> Iterator[Change]:
    """Yield what sets each layer's own index, such as `layer_idx`, where all layers count in the same way."""
    found: dict[tuple[str, str], list[tuple[nn.Module, int, int]]] = {}
    for position, child in enumerate(container.children()):
        for inner, module in named_layers(child):
            for attribute, value in vars(module).items():
                if isinstance(value, int) and not isinstance(value, bool) and _INDEX.fullmatch(attribute):
                    found.setdefault((inner, attribute), []).append((module, position, value))
    for (_, attribute), entries in found.items():
        if len({value - order[position] for _, position, value in entries}) != 1:
            continue
        for module, position, value in entries:
            yield module, attribute, value + position - order[position]


def _owner_changes(owner: nn.Module, before: int, order: Sequence[int]) -> Iterator[Change]:
    for attribute, value in vars(owner).items():
        if _COUNT.fullmatch(attribute) and value == before and not isinstance(value, bool):
            yield owner, attribute, len(order)
        elif _is_list(attribute, value, before):
            yield owner, attribute, _reordered(value, order)


def _config_changes(model: nn.Module, name: str, before: int, order: Sequence[int]) -> Iterator[Change]:
    """Yield what makes the configs of the owner and of all around it say the new number of layers."""
    known = integrations()
    for integration in known:
        yield from integration.layer_count_changes(model, name, before, order)
    for config in configs_around(model, name):
        if any(integration.is_config(config) for integration in known):
            continue
        counts = _counts(model, config, name, before)
        for count in counts:
            yield config, count, len(order)
        if counts:
            yield from list_changes(config, before, order)
        else:
            yield from stage_changes(config, name, before, order)


def _counts(model: nn.Module, config: Any, name: str, before: int) -> list[str]:
    """Return the entries of a config that count the layers of a list.

    Where another list is as long, `encoder_layers` alone counts `encoder.layers`: `num_layers` may count the other.
    """
    equal = [entry for entry, value in _entries(config) if type(value) is int and value == before]
    parts = "|".join(map(re.escape, filter(None, name.split(".")[:-1]))) or "(?!)"
    named = re.compile(rf"({parts})_((num|n)_)?(hidden_)?(layers|blocks)|(num|n)_({parts})_(layers|blocks)")
    own = [entry for entry in equal if named.fullmatch(entry)]
    general = [entry for entry in equal if _COUNT.fullmatch(entry)]
    lists = {n: m for n, m in named_layers(model) if isinstance(m, nn.ModuleList) and len(m) == before}
    alone = all(other == name or other.startswith(f"{name}.") for other in lists)
    return list(dict.fromkeys([*own, *general])) if alone else own or general


def configs_around(model: nn.Module, name: str) -> list[Any]:
    """Return the config objects of the layers around a layer, the model's own first, each once."""
    parts = name.split(".")
    around = [vars(model.get_submodule(".".join(parts[:end]))) for end in range(len(parts))]
    found: list[Any] = [held["config"] for held in around if hasattr(held.get("config"), "__dict__")]
    return list({id(config): config for config in found}.values())


def list_changes(config: Any, before: int, order: Sequence[int]) -> Iterator[Change]:
    """Yield what brings lists in a config in line: those with an entry a layer, and those of layers' numbers."""
    for attribute, value in _entries(config):
        if _holds_numbers(attribute, value, before):
            yield config, attribute, type(value)(n for n, old in enumerate(order) if old in value)
        elif _is_list(attribute, value, before):
            yield config, attribute, _reordered(value, order)


def stage_changes(config: Any, name: str, before: int, order: Sequence[int]) -> Iterator[Change]:
    """Yield what brings `depths` in line, which has the number of layers of each stage: that of a list in a stage."""
    stage = next((int(part) for part in reversed(name.split(".")[:-1]) if part.isdecimal()), None)
    depths = cast("list[Any]", getattr(config, "depths", ()))
    if stage is not None and stage < len(depths) and depths[stage] == before:
        yield config, f"depths.{stage}", len(order)


def _entries(config: Any) -> list[tuple[str, Any]]:
    return list(cast("dict[str, Any]", vars(config)).items())


def _is_list(attribute: str, value: Any, length: int) -> bool:
    if not isinstance(value, list | tuple) or not _LIST.fullmatch(attribute):
        return False
    entries = cast("list[Any]", value)
    return len(entries) == length and all(isinstance(entry, _PLAIN) for entry in entries)


def _holds_numbers(attribute: str, value: Any, before: int) -> bool:
    """Whether a list names some of the layers by their numbers, as `mlp_only_layers` does."""
    if not isinstance(value, list | tuple) or not _NUMBERS.fullmatch(attribute):
        return False
    entries = cast("list[Any]", value)
    numbers = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < before for n in entries)
    return numbers and all(a < b for a, b in itertools.pairwise(entries))


def _reordered(value: Any, order: Sequence[int]) -> Any:
    return type(value)(value[old] for old in order)
