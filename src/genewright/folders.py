"""Folders as Hugging Face has them: a mutant with its config, recipe and model card, and back."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

from genewright.backends import Backend, backend_of
from genewright.backends.files import read_checkpoint
from genewright.backends.files.bounds import read_json
from genewright.backends.files.checkpoint import RECIPE
from genewright.backends.files.folder import new_folder, write_beside
from genewright.backends.files.model_card import model_card
from genewright.errors import FileError, GenewrightError, UnsupportedError
from genewright.recipe import Recipe, history_of, history_to_json
from genewright.reshape import MOST_TIMES, reshape
from genewright.storage import Overwrite, found_at, read_file

_LOG = logging.getLogger("genewright")
_SAID_FILE = "genewright.json"
_LOAD = (
    "The config of this model cannot say what has changed, so `from_pretrained` does not read this folder. Genewright "
    "makes the layers again from the recipe:"
)


def is_folder(path: Path) -> bool:
    """Whether a path is, or would be, a folder: it is one, or its name has no suffix.

    >>> is_folder(Path("mutant")), is_folder(Path("mutant.safetensors"))
    (True, False)
    """
    return found_at(path) == "folder" or not path.suffix


def saves_as_folder(model: object) -> bool:
    """Whether a model has a config and `save_pretrained`; transformers is not imported to tell."""
    return "transformers" in sys.modules and bool(_transformers().is_saved_as_folder(model))


def save_folder(model: Any, path: Path, *, overwrite: Overwrite) -> None:
    """Write a model of transformers into a folder: config, tensors, and of a mutant recipe.json and a model card.

    Where the config cannot say what has changed, `from_pretrained` could not read it: that is said, and `load_folder`
    makes the layers again from the recipe. So does a loader in the folder, for ``AutoModel...from_pretrained(folder,
    trust_remote_code=True)``.

    Args:
        model: The model.
        path: The folder to make.
        overwrite: Whether an old folder of a model may be replaced.

    Raises:
        FileError: It exists and `overwrite` is false, or cannot be written.
        UnsupportedError: Neither the config nor the recipe makes such a model again.
    """
    backend = backend_of(model)
    history = backend.history(model)
    text = history_to_json(history) if history else None
    card = said = ""
    if text is not None:
        made = Recipe.from_json(text)
        steps = len(made.all_steps())
        known = _steps_in_config(backend, model, made)
        if known is None:
            raise UnsupportedError(
                f"{path}: neither the config nor the recipe makes such a {type(model).__name__} again, so nothing "
                "could load this folder. Save its tensors: gw.save(model, 'mutant.safetensors')."
            )
        said = "" if known == steps else json.dumps({"genewright": 1, "steps_in_config": known}) + "\n"
        base = _transformers().base_name(model)
        card = model_card(made, title=path.name, base=base, note=_LOAD if said else "")
    with new_folder(path, overwrite=overwrite) as folder:
        _transformers().write_pretrained(model, folder)
        write_beside(folder, text, card)
        auto = False
        if said:
            (folder / _SAID_FILE).write_text(said)
            auto = _transformers().write_loader_beside(model, folder)
    if said:
        _LOG.warning(
            "%s: the config cannot say what has changed; from_pretrained does not read it. Load it with gw.load(%r)%s.",
            path,
            str(path),
            ", or by AutoModel... with trust_remote_code=True" if auto else "",
        )


def load_folder(path: Path) -> Any:
    """Make the model that a folder's config and recipe describe, and read its tensors.

    Raises:
        FileError: A file is missing or damaged, or does not fit.
        UnsupportedError: transformers is missing, or has no such model.
    """
    checkpoint = read_checkpoint(path)
    text = checkpoint.metadata.get(RECIPE)
    made = None if text is None else Recipe.from_json(text)
    known = _known(path)
    model: Any = _transformers().model_of(path)
    backend = backend_of(model)
    if made is not None and known is not None:
        limit = MOST_TIMES * sum(entry.data.nbytes for entry in checkpoint.entries.values())
        model = reshape(backend, model, made.all_steps()[known:], limit=limit)
    model = backend.load(model, path)
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


def _steps_in_config(backend: Backend, model: Any, made: Recipe) -> int | None:
    steps = made.all_steps()
    if not any(edit.changes_structure() for step in steps for edit in step.edits):
        return len(steps)
    limit = MOST_TIMES * sum(tensor.nbytes for tensor in backend.network(model).tensors.values())

    def grown(base: Any, first: int) -> Any:
        try:
            return reshape(backend, base, steps[first:], limit=limit)
        except GenewrightError:
            return None

    return _transformers().steps_in_config(model, len(steps), grown)


def _transformers() -> Any:
    return importlib.import_module("genewright.integrations.transformers.folder")
