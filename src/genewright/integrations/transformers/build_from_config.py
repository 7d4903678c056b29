"""Build a transformers model from its config alone: on the meta device to compare shapes, or in memory to run it.

A constructor of transformers may wrap torch.nn.init, or set torch's default dtype, while it runs, for the whole
process. Two at once could leave it so; ours run one after the other, under the one lock.
"""

from __future__ import annotations

import copy
import json
import sys
from typing import Any, cast

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from genewright.backends.torch.draws import OwnDraws
from genewright.interrupts import shielded
from genewright.process_state import LOCK


def has_config(model: nn.Module) -> bool:
    """Whether the model is one that `from_pretrained` makes from a config; transformers is not imported to tell."""
    return _is_a(model, "PreTrainedModel") and hasattr(model, "config")


def is_config(value: object) -> bool:
    """Whether a value is a config of transformers."""
    return _is_a(value, "PreTrainedConfig") or _is_a(value, "PretrainedConfig")  # the name before version 5


def _is_a(value: object, name: str) -> bool:
    kind = getattr(sys.modules.get("transformers"), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


@shielded
def build_from_config(model: nn.Module, config: Any) -> nn.Module | None:
    """Return a model of the same class, built from `config` on the meta device; None where that fails."""
    try:
        with LOCK, torch.device("meta"), OwnDraws():
            return type(model)(config)
    except Exception:  # whatever its constructor refuses
        return None


@shielded
def build_with_tensors(model: nn.Module, config: Any) -> nn.Module | None:
    """Return what `from_pretrained` would make of a saved `config` and the model's own tensors, which it shares."""
    try:
        saved: Any = cast(Any, type(config)).from_dict(json.loads(config.to_json_string()))
        saved._attn_implementation = config._attn_implementation  # not saved: the reader's choice
        with LOCK, _ParametersElsewhere(), OwnDraws():
            made = type(model)(saved)
        for name, buffer in made.named_buffers():
            owner, _, attribute = name.rpartition(".")
            like = next(model.parameters(), buffer)
            setattr(made.get_submodule(owner), attribute, buffer.to(like.device))
        made.load_state_dict(model.state_dict(), assign=True)
        return made.eval()
    except Exception:  # a config that cannot be saved, or does not make the model
        return None


def changed_config(config: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of a config with other values of some entries; None where it refuses them."""
    copied = copy.deepcopy(config)
    try:
        for path, value in changes.items():
            holder: Any = copied
            *way, last = path.split(".")
            for part in way:
                holder = getattr(holder, part)
            setattr(holder, last, value)
    except Exception:  # transformers' configs check their values
        return None
    return copied


class _ParametersElsewhere(TorchFunctionMode):
    """Puts what torch's layers make empty, their parameters, on the meta device: they are replaced anyway.

    Nothing is allocated or drawn for them. Buffers, which a constructor computes, are real. transformers' own
    `no_init_weights` would disable torch.nn.init for all threads.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)
