"""Build a transformers model from its config alone: on the meta device to compare shapes, or in memory to run it."""

from __future__ import annotations

import contextlib
import copy
import json
import sys
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import nn


def has_config(model: nn.Module) -> bool:
    """Whether the model is one that `from_pretrained` makes from a config; transformers is not imported to tell."""
    return _is_a(model, "PreTrainedModel") and hasattr(model, "config")


def is_config(value: object) -> bool:
    """Whether a value is a config of transformers."""
    return _is_a(value, "PreTrainedConfig") or _is_a(value, "PretrainedConfig")  # the name before version 5


def _is_a(value: object, name: str) -> bool:
    kind = getattr(sys.modules.get("transformers"), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def build_from_config(model: nn.Module, config: Any) -> nn.Module | None:
    """Return a model of the same class, built from `config` on the meta device; None where that fails."""
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            return type(model)(config)
    except Exception:  # whatever its constructor refuses
        return None


def build_with_tensors(model: nn.Module, config: Any) -> nn.Module | None:
    """Return what `from_pretrained` would make of a saved `config` and the model's own tensors, which it shares."""
    try:
        saved: Any = cast(Any, type(config)).from_dict(json.loads(config.to_json_string()))
        saved._attn_implementation = config._attn_implementation  # not saved: the reader's choice
        with _untouched(), torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
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


def _untouched() -> AbstractContextManager[Any]:
    """Return what keeps torch from drawing initial weights, where transformers has it: they are replaced anyway."""
    library = sys.modules.get("transformers.initialization") or sys.modules.get("transformers.modeling_utils")
    return cast("AbstractContextManager[Any]", getattr(library, "no_init_weights", contextlib.nullcontext)())
