"""A model of transformers from the config in its folder, and how many steps of a recipe that config says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import nn

from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.tensors import unwrapped
from genewright.errors import UnsupportedError
from genewright.integrations.transformers.build_from_config import build_from_config, has_config
from genewright.integrations.transformers.loader import forget_loader, write_loader
from genewright.integrations.transformers.signature import Signature
from genewright.interrupts import shielded
from genewright.process_state import LOCK
from genewright.storage import found_at

LIBRARY = "transformers"
READER = "`from_pretrained`"


def load_call(model: nn.Module) -> str:
    """Return how a folder of such a model is loaded."""
    return "gw.load(folder)"


def is_saved_as_folder(model: object) -> bool:
    """Whether a model has `save_pretrained` and a config that it is made of."""
    return isinstance(model, nn.Module) and has_config(unwrapped(model))


def write_pretrained(model: nn.Module, folder: Path) -> None:
    """Write config and tensors as transformers does."""
    cast(Any, unwrapped(model)).save_pretrained(folder)


def write_loader_beside(model: nn.Module, folder: Path) -> bool:
    """Write what lets ``AutoModel...from_pretrained(folder, trust_remote_code=True)`` read it; return whether."""
    return write_loader(unwrapped(model), folder)


def base_name(model: nn.Module) -> str:
    """Return the hub's name of what the model came from, or ""."""
    name = getattr(cast(Any, unwrapped(model)).config, "_name_or_path", "")
    return name if isinstance(name, str) and name.count("/") == 1 and not found_at(name) else ""


def steps_in_config(model: nn.Module, count: int, grown: Callable[[nn.Module, int], nn.Module | None]) -> int | None:
    """Return how many of a mutant's steps its config says; the others have to be done again when it is loaded.

    Args:
        model: The mutant.
        count: The number of its steps.
        grown: Does the steps from a number on again, on a model that is made of the config; None where they do not fit.

    Returns:
        The largest number for which the same layers, shapes and numbers come out; None for no number.
    """
    inner = unwrapped(model)
    wanted = Signature.of(inner)
    whole = build_from_config(inner, copy.deepcopy(inner.config))  # on the meta device: it costs no memory
    if whole is not None and Signature.of(whole) == wanted:
        return count
    for said in range(count - 1, -1, -1):
        base = _made(type(inner), copy.deepcopy(inner.config))
        again = None if base is None else grown(base, said)
        if again is not None and Signature.of(again) == wanted:
            return said
    return None


def model_of(folder: Path) -> nn.Module:
    """Make the model that a folder's config describes, of a class of transformers; its values do not matter.

    Raises:
        UnsupportedError: transformers is not installed, or has no such class, or makes no model of the config.
    """
    try:
        import transformers
    except ImportError as error:
        raise UnsupportedError(
            f"{folder}: a folder's model is made by transformers, which is not installed (pip install transformers). "
            "With a factory: gw.load(factory, folder)."
        ) from error
    library = cast(Any, transformers)
    try:
        described = json.loads((folder / "config.json").read_text())
        name = str((described.get("architectures") or [""])[0])
        cls = _class_of(library, name, folder)
        if not (isinstance(cls, type) and issubclass(cls, library.PreTrainedModel)):
            raise UnsupportedError(
                f"{folder}: its config names the class {name!r}, which transformers does not have. Write "
                "gw.load(factory, folder), where factory() makes the model."
            )
        config = cast(Any, cls).config_class.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, AttributeError, ImportError) as error:
        raise UnsupportedError(
            f"{folder}: its config cannot be read ({' '.join(str(error).split())[:200]})."
        ) from error
    forget_loader(config)
    made = _made(cast("type[nn.Module]", cls), config)
    if made is None:
        raise UnsupportedError(f"{folder}: no {name} can be made of its config.")
    dtype = getattr(config, "dtype", None)
    return (made if dtype is None else made.to(dtype)).eval()


def _class_of(library: Any, name: str, folder: Path) -> Any:
    """Return a class of transformers; None where it has none of this name.

    Raises:
        UnsupportedError: It cannot be imported here, as beside a torchvision that was built for another torch.
    """
    try:
        return getattr(library, name, None)
    except Exception as error:  # whatever a package raises that it imports
        first = error
        while first.__cause__ is not None:
            first = cast("Exception", first.__cause__)
        raise UnsupportedError(
            f"{folder}: transformers cannot import {name} here ({type(first).__name__}: {first}). The folder "
            "itself was not looked at."
        ) from error


@shielded
def _made(cls: type[nn.Module], config: Any) -> nn.Module | None:
    """Return a model of a config in memory; None where its constructor refuses."""
    try:
        with LOCK, OwnDraws():
            return cls(config)
    except Exception:  # whatever its constructor refuses
        return None
