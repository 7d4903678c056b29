"""A model of timm in a folder, as `timm.models.save_for_hf` writes it, and the model that its config describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import nn

from genewright.backends.torch.tensors import unwrapped
from genewright.errors import UnsupportedError
from genewright.integrations.described import made_quietly, steps_described

LIBRARY = "timm"
READER = "`timm.create_model('local-dir:...')`"


def load_call(model: nn.Module) -> str:
    """Return how a folder of such a model is loaded."""
    return "gw.load(folder)"


def is_saved_as_folder(model: object) -> bool:
    """Whether timm made a model by its name."""
    inner = unwrapped(model) if isinstance(model, nn.Module) else None
    about = getattr(inner, "pretrained_cfg", None)
    return type(inner).__module__.startswith("timm.") and isinstance(about, dict) and "architecture" in about


def write_pretrained(model: nn.Module, folder: Path) -> None:
    """Write config and tensors as timm does.

    Raises:
        UnsupportedError: timm cannot.
    """
    try:
        _timm().save_for_hf(unwrapped(model), str(folder), safe_serialization=True)
    except (ValueError, RuntimeError, AttributeError, AssertionError) as error:
        raise UnsupportedError(
            f"timm.models.save_for_hf refuses this {type(unwrapped(model)).__name__}: {error}"
        ) from error


def write_loader_beside(model: nn.Module, folder: Path) -> bool:
    """Write nothing: timm runs no code of a folder."""
    return False


def base_name(model: nn.Module) -> str:
    """Return the hub's name of what the model came from, or ""."""
    return str(cast(Any, unwrapped(model)).pretrained_cfg.get("hf_hub_id") or "").rstrip("/")


def steps_in_config(model: nn.Module, count: int, grown: Callable[[nn.Module, int], nn.Module | None]) -> int | None:
    """Return how many of a mutant's steps its config says; the others have to be done again when it is loaded."""
    inner = unwrapped(model)

    def describe(folder: Path) -> None:
        _timm().save_for_hf(inner, str(folder), safe_serialization=True)

    return steps_described(inner, count, grown, describe, _made)


def model_of(folder: Path) -> nn.Module:
    """Make the model that a folder's config describes; its values do not matter.

    Raises:
        UnsupportedError: timm is not installed, or makes no model of the config.
    """
    try:
        _timm()
    except ImportError as error:
        raise UnsupportedError(
            f"{folder}: this folder's model is made by timm, which is not installed (pip install timm). With a "
            "factory: gw.load(factory, folder)."
        ) from error
    made = made_quietly(_made, folder)
    if made is None:
        raise UnsupportedError(f"{folder}: timm makes no model of its config. Write gw.load(factory, folder).")
    return made.eval()


def _made(folder: Path) -> nn.Module:
    import timm

    return cast("nn.Module", cast(Any, timm).create_model(f"local-dir:{folder.absolute()}", pretrained=False))


def _timm() -> Any:
    import timm.models

    return timm.models
