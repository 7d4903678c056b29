"""A model that derives from huggingface_hub's `PyTorchModelHubMixin`, in a folder; its class makes it of the config."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import nn

from genewright.backends.torch.tensors import unwrapped
from genewright.errors import UnsupportedError
from genewright.integrations.described import made_quietly, steps_described

LIBRARY = ""
READER = "its class's `from_pretrained`"


def load_call(model: nn.Module) -> str:
    """Return how a folder of such a model is loaded: no file names a class that would be imported."""
    return f"gw.load({type(unwrapped(model)).__name__}, folder)"


def is_saved_as_folder(model: object) -> bool:
    """Whether a model has the mixin's `save_pretrained`."""
    return isinstance(model, nn.Module) and is_mixin(type(unwrapped(model)))


def is_mixin(cls: type) -> bool:
    """Whether models of a class have the mixin's `save_pretrained`."""
    mixin = getattr(sys.modules.get("huggingface_hub.hub_mixin"), "PyTorchModelHubMixin", None)
    return isinstance(mixin, type) and issubclass(cls, mixin)


def write_pretrained(model: nn.Module, folder: Path) -> None:
    """Write config and tensors as the mixin does."""
    cast(Any, unwrapped(model)).save_pretrained(folder)
    if not (folder / "config.json").exists():  # a class without settings
        (folder / "config.json").write_text("{}\n")


def write_loader_beside(model: nn.Module, folder: Path) -> bool:
    """Write nothing: the mixin runs no code of a folder."""
    return False


def base_name(model: nn.Module) -> str:
    """Return "": a model does not know where it came from."""
    return ""


def steps_in_config(model: nn.Module, count: int, grown: Callable[[nn.Module, int], nn.Module | None]) -> int | None:
    """Return how many of a mutant's steps its config says; the others have to be done again when it is loaded."""
    inner = unwrapped(model)

    def describe(folder: Path) -> None:
        said: Any = cast(Any, inner)._hub_mixin_config or {}
        entries: Any = dataclasses.asdict(cast(Any, said)) if dataclasses.is_dataclass(said) else said
        (folder / "config.json").write_text(json.dumps(entries))

    return steps_described(inner, count, grown, describe, lambda folder: made_of(type(inner), folder))


def model_of_class(cls: type, folder: Path) -> nn.Module:
    """Make a model of a class with the settings that a folder's config says; its values do not matter.

    Raises:
        UnsupportedError: The class makes no model of them.
    """
    made = made_quietly(lambda place: made_of(cls, place), folder)
    if made is None:
        raise UnsupportedError(
            f"{folder}: {cls.__name__} makes no model of its config. Write gw.load(factory, folder)."
        )
    return made


def made_of(cls: type, folder: Path) -> nn.Module:
    """Let the mixin read the config, and make a model with it instead of reading tensors."""

    def without_tensors(_: type, **given: Any) -> Any:
        return cls(**{name: value for name, value in given.items() if name not in _OF_THE_HUB})

    reader: Any = type(cls)(cls.__name__, (cls,), {"_from_pretrained": classmethod(without_tensors)})
    for name in ("coders", "jsonable_custom_types", "init_parameters", "jsonable_default_values"):
        setattr(reader, f"_hub_mixin_{name}", getattr(cls, f"_hub_mixin_{name}"))
    return cast("nn.Module", reader.from_pretrained(str(folder), local_files_only=True))


_OF_THE_HUB = {
    "model_id",
    "revision",
    "cache_dir",
    "force_download",
    "local_files_only",
    "token",
    "map_location",
    "strict",
}
