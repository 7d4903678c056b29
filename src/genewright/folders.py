"""Folders as Hugging Face has them: a mutant with its config, recipe and model card, and back."""

from __future__ import annotations

import functools
import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any, cast

from genewright.backends import Backend, backend_of
from genewright.backends.files import read_checkpoint
from genewright.backends.files.bounds import read_json
from genewright.backends.files.checkpoint import RECIPE
from genewright.backends.files.folder import CONFIG_FILE, new_folder, write_beside
from genewright.backends.files.model_card import model_card
from genewright.errors import FileError, GenewrightError, UnsupportedError
from genewright.recipe import Recipe, history_of, history_to_json
from genewright.reshape import MOST_TIMES, reshape
from genewright.storage import Overwrite, found_at, read_file

_LOG = logging.getLogger("genewright")
_SAID_FILE = "genewright.json"
_LOAD = (
    "The config of this model cannot say what has changed, so {} does not read this folder. Genewright makes the "
    "layers again from the recipe:"
)
_MIXIN = "huggingface_hub.hub_mixin"
_LIBRARIES = {
    "transformers": "genewright.integrations.transformers.folder",
    "timm": "genewright.integrations.timm.folder",
    _MIXIN: "genewright.integrations.huggingface_hub.folder",
}


def is_folder(path: Path) -> bool:
    """Whether a path is, or would be, a folder: it is one, or its name has no suffix.

    >>> is_folder(Path("mutant")), is_folder(Path("mutant.safetensors"))
    (True, False)
    """
    return found_at(path) == "folder" or not path.suffix


def saves_as_folder(model: object) -> bool:
    """Whether a library that is imported writes a model as a folder; none is imported to tell."""
    return _library_of(model) is not None


def save_folder(model: Any, path: Path, *, overwrite: Overwrite) -> None:
    """Write a model into a folder as its library does: config, tensors, and of a mutant recipe.json and a model card.

    Where the config cannot say what has changed, the library could not read it: that is said, and `load_folder` makes
    the layers again from the recipe. So does a loader in the folder of a model of transformers, for
    ``AutoModel...from_pretrained(folder, trust_remote_code=True)``.

    Args:
        model: The model.
        path: The folder to make.
        overwrite: Whether an old folder of a model may be replaced.

    Raises:
        FileError: It exists and `overwrite` is false, or cannot be written.
        UnsupportedError: Neither the config nor the recipe makes such a model again.
    """
    backend, library = backend_of(model), _library_of(model)
    assert library is not None  # `saves_as_folder` says so
    history = backend.history(model)
    text = history_to_json(history) if history else None
    card = said = ""
    if text is not None:
        made = Recipe.from_json(text)
        steps = len(made.all_steps())
        known = _steps_in_config(library, backend, model, made)
        if known is None:
            raise UnsupportedError(
                f"{path}: neither the config nor the recipe makes such a {type(model).__name__} again, so nothing "
                "could load this folder. Save its tensors: gw.save(model, 'mutant.safetensors')."
            )
        said = "" if known == steps else json.dumps({"genewright": 1, "steps_in_config": known}) + "\n"
        note = _LOAD.format(library.READER) if said else ""
        card = model_card(
            made,
            title=path.name,
            base=library.base_name(model),
            note=note,
            library=library.LIBRARY,
            call=library.load_call(model),
        )
    with new_folder(path, overwrite=overwrite) as folder:
        library.write_pretrained(model, folder)
        write_beside(folder, text, card)
        auto = False
        if said:
            (folder / _SAID_FILE).write_text(said)
            auto = library.write_loader_beside(model, folder)
    if said:
        _LOG.warning(
            "%s: the config cannot say what has changed; %s does not read it. Load it with %s%s.",
            path,
            library.READER,
            library.load_call(model).replace("folder", repr(str(path))),
            ", or by AutoModel... with trust_remote_code=True" if auto else "",
        )


def load_folder(path: Path) -> Any:
    """Make the model that a folder's config and recipe describe, and read its tensors.

    Raises:
        FileError: A file is missing or damaged, or does not fit.
        UnsupportedError: The library that makes it is missing, or has no such model.
    """
    checkpoint = read_checkpoint(path)
    text = checkpoint.metadata.get(RECIPE)
    made = None if text is None else Recipe.from_json(text)
    known = _known(path)
    model: Any = _library_for(path).model_of(path)
    backend = backend_of(model)
    if made is not None and known is not None:
        limit = MOST_TIMES * sum(entry.data.nbytes for entry in checkpoint.entries.values())
        model = reshape(backend, model, made.all_steps()[known:], limit=limit)
    try:
        model = backend.load(model, path)
    except FileError as error:
        if made is None and "shape" in str(error):
            raise FileError(
                f"{error} If it is a mutant's, its library wrote the folder, and not what has changed. Write "
                "gw.load(factory, folder, recipe=gw.recipe(mutant)), or save mutants with gw.save(mutant, folder)."
            ) from error
        raise
    return model if text is None else backend.sign(model, history_of(text))


def _known(path: Path) -> int | None:
    """Return how many steps the config says; None for all.

    Raises:
        FileError: What says so is damaged.
    """
    file = path / _SAID_FILE
    if not file.is_file():
        return None
    said = read_json(read_file(file), str(file))
    known = said.get("steps_in_config") if isinstance(said, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(known, int) or known < 0:
        raise FileError(f"{file}: does not say how many steps the config says.")
    return known


def _steps_in_config(library: Any, backend: Backend, model: Any, made: Recipe) -> int | None:
    steps = made.all_steps()
    if not any(edit.changes_structure() for step in steps for edit in step.edits):
        return len(steps)
    limit = MOST_TIMES * sum(tensor.nbytes for tensor in backend.network(model).tensors.values())

    def grown(base: Any, first: int) -> Any:
        try:
            return reshape(backend, base, steps[first:], limit=limit)
        except GenewrightError:
            return None

    return library.steps_in_config(model, len(steps), grown)


def described(factory: Any, path: Path) -> Any:
    """Return what makes the model of a folder: a class of huggingface_hub's mixin with the settings of its config."""
    if not (_MIXIN in sys.modules and isinstance(factory, type) and (path / CONFIG_FILE).is_file()):
        return factory
    hub = importlib.import_module(_LIBRARIES[_MIXIN])
    return functools.partial(hub.model_of_class, factory, path) if hub.is_mixin(factory) else factory


def _library_of(model: object) -> Any:
    """Return what writes a model as a folder, None where no library that is imported does."""
    for name, module in _LIBRARIES.items():
        if name in sys.modules and (library := importlib.import_module(module)).is_saved_as_folder(model):
            return library
    return None


def _library_for(path: Path) -> Any:
    """Return what makes the model of a folder.

    Raises:
        UnsupportedError: No library does by the config alone.
    """
    file = path / CONFIG_FILE
    said: Any = read_json(read_file(file), str(file)) if file.is_file() else {}
    config = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    if "architecture" in config and "pretrained_cfg" in config:
        return importlib.import_module(_LIBRARIES["timm"])
    if config and not config.get("architectures"):
        raise UnsupportedError(
            f"{path}: its config names no class. Write gw.load(factory, folder), where factory() makes the model; of a "
            "class that derives from PyTorchModelHubMixin the class itself: gw.load(Net, folder)."
        )
    return importlib.import_module(_LIBRARIES["transformers"])
