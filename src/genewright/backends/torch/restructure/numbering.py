"""Keeping what counts layers in step: indices in the layers, counts and lists in their owner and in its config."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from torch import nn

from genewright.backends.torch.attributes import set_value
from genewright.backends.torch.tensors import named_layers
from genewright.journal import Journal

_INDEX = re.compile(r"(layer|block|self|attn|cur)?_?(idx|index|id|number|num|i)")
_COUNT = re.compile(r"(num|n)_?(hidden_)?(layers?|blocks?)|depth")
_LIST = re.compile(r".*(layer|block)(?!.*(idx|id|indices|ids)).*")
_NUMBERS = re.compile(r"(?!.*(out|stage|channel|token|feature|proj)).*(layers|layer_ids|layer_indices|attn_idxs)")
_PLAIN = (str, int, float, bool, type(None))
_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "num_blocks", "depth")
_COUNTS_OF = {
    "encoder": ("encoder_layers", "num_encoder_layers", "encoder_num_hidden_layers"),
    "decoder": ("decoder_layers", "num_decoder_layers", "decoder_num_hidden_layers"),
}


def renumber(
    model: nn.Module, container: nn.Module, order: Sequence[int], journal: Journal, *, before: int
) -> None:
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
        for change in list(_config_changes(model, owner, name, before, order)):
            set_value(*change, journal)


def _index_changes(container: nn.Module, order: Sequence[int]) -> Iterator[tuple[Any, str, Any]]:
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


def _owner_changes(owner: nn.Module, before: int, order: Sequence[int]) -> Iterator[tuple[Any, str, Any]]:
    for attribute, value in vars(owner).items():
        if _COUNT.fullmatch(attribute) and value == before and not isinstance(value, bool):
            yield owner, attribute, len(order)
        elif _is_list(attribute, value, before):
            yield owner, attribute, _reordered(value, order)


def _config_changes(
    model: nn.Module, owner: nn.Module, name: str, before: int, order: Sequence[int]
) -> Iterator[tuple[Any, str, Any]]:
    """Yield what makes the config objects of the owner and all around it say the new number of layers."""
    parts = name.split(".")
    around = [model.get_submodule(".".join(parts[:end])) for end in range(len(parts))]
    configs: dict[int, Any] = {}
    for module in around:
        config = vars(module).get("config")
        if hasattr(config, "__dict__"):
            configs.setdefault(id(config), config)
    own = vars(owner).get("config")
    side = next((s for s in _COUNTS_OF if s in parts or s in type(owner).__name__.lower()), "")
    others = [s for s in _COUNTS_OF if s != side]
    alone = not any(other in n for n, m in named_layers(model) for other in others if isinstance(m, nn.ModuleList))
    for config in configs.values():
        known: dict[str, Any] = dict(vars(cast(object, config)))
        special = [c for c in _COUNTS_OF.get(side, ()) if known.get(c) == before]
        # A config may know a count under another name: then it has no such entry, but such an attribute.
        general = [c for c in _COUNTS if (getattr(config, c, None) if alone else known.get(c)) == before]
        counts = [*special, *general] if alone or (config is own and len(configs) > 1) else special or general
        for count in counts:
            yield config, count, len(order)
        for attribute, value in known.items():
            if counts and _holds_numbers(attribute, value, before):
                yield config, attribute, type(value)(n for n, old in enumerate(order) if old in value)
            elif counts and _is_list(attribute, value, before):
                yield config, attribute, _reordered(value, order)
        stage = next((int(part) for part in reversed(parts[:-1]) if part.isdecimal()), None)
        depths = cast("list[Any]", known.get("depths", ()))
        if not counts and stage is not None and stage < len(depths) and depths[stage] == before:
            yield config, f"depths.{stage}", len(order)


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
