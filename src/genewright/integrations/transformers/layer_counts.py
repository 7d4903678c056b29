"""The entries of a transformers config that count the layers of one list.

A config has no link to the lists that it counts. Which entry counts which list is guessed from its value and the names
that transformers' configs use; an encoder and a decoder are told apart by their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, cast

from torch import nn

from genewright.backends.torch.integrations import Change
from genewright.backends.torch.restructure.numbering import configs_around, list_changes, stage_changes
from genewright.backends.torch.tensors import named_layers
from genewright.integrations.transformers.build_from_config import is_config

_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "num_blocks", "depth")
_COUNTS_OF = {
    "encoder": ("encoder_layers", "num_encoder_layers", "encoder_num_hidden_layers"),
    "decoder": ("decoder_layers", "num_decoder_layers", "decoder_num_hidden_layers"),
}


def layer_count_changes(model: nn.Module, container: str, before: int, order: Sequence[int]) -> Iterator[Change]:
    """Yield what makes the configs of the list's owner and of all around it say the new number of layers.

    Args:
        model: The whole model.
        container: Name of the list whose layers have been inserted, removed or moved.
        before: How many layers it had.
        order: For each layer now there, the position that it, or what it is a copy of, had before.
    """
    parts = container.split(".")
    owner = model.get_submodule(".".join(parts[:-1]))
    configs = [config for config in configs_around(model, container) if is_config(config)]
    own = vars(owner).get("config")
    side = next((s for s in _COUNTS_OF if s in parts or s in type(owner).__name__.lower()), "")
    others = [s for s in _COUNTS_OF if s != side]
    alone = not any(other in n for n, m in named_layers(model) for other in others if isinstance(m, nn.ModuleList))
    for config in configs:
        known: dict[str, Any] = dict(vars(cast(object, config)))
        special = [c for c in _COUNTS_OF.get(side, ()) if known.get(c) == before]
        # A config may know a count under another name: then it has no such entry, but such an attribute.
        general = [c for c in _COUNTS if (getattr(config, c, None) if alone else known.get(c)) == before]
        counts = [*special, *general] if alone or (config is own and len(configs) > 1) else special or general
        for count in counts:
            if not isinstance(inspect.getattr_static(cast(object, config), count, None), property):  # that one follows
                yield config, count, len(order)
        if counts:
            yield from list_changes(config, before, order)
        else:
            yield from stage_changes(config, container, before, order)
