"""Checkpoint files: .safetensors, state dicts that torch saved, and files of Keras."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genewright.backends.backend import Backend
from genewright.backends.files.checkpoint import RECIPE, Checkpoint, CheckpointNetwork, CheckpointStore
from genewright.backends.files.folder import Folder, read_folder, write_folder
from genewright.backends.files.hdf5 import read_hdf5, write_hdf5
from genewright.backends.files.keras_archive import read_archive, write_archive
from genewright.backends.files.model_card import model_card
from genewright.backends.files.pickled import read_pickled, write_pickled
from genewright.backends.files.safetensors import read_safetensors, write_safetensors
from genewright.backends.files.unit_axes import checked_axes, with_told_axes
from genewright.calls import answered
from genewright.companion import Companion
from genewright.edits import Store
from genewright.errors import FileError, UnsupportedError
from genewright.journal import Journal
from genewright.network import Network
from genewright.outputs import Outputs
from genewright.recipe import Recipe, history_of, no_path
from genewright.storage import Overwrite, found_at

_PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".pth.tar", ".pt.tar")  # what torch.save's files are called
_READERS = {
    ".safetensors": read_safetensors,
    **dict.fromkeys(_PICKLED, read_pickled),
    ".keras": read_archive,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
}
_WRITERS = {
    ".safetensors": write_safetensors,
    **dict.fromkeys(_PICKLED, write_pickled),
    ".keras": write_archive,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
}
SUFFIXES = tuple(_READERS)
"""What the names of checkpoint files end in."""


class FilesBackend(Backend):
    """Checkpoints, without the model that they belong to."""

    name = "files"

    def owns(self, model: object) -> bool:
        return isinstance(model, Checkpoint)

    def network(self, model: Checkpoint, example: Any = None) -> CheckpointNetwork:
        return CheckpointNetwork(model)

    def store(self, model: Checkpoint, companion: Companion | None = None, network: Network | None = None) -> Store:
        return CheckpointStore(model)

    def copy(self, model: Checkpoint) -> Checkpoint:
        return copy.deepcopy(model)

    def history(self, model: Checkpoint) -> tuple[str, ...]:
        if model.history is None:
            text = model.metadata.get(RECIPE)
            model.history = () if text is None else history_of(text)
        return model.history

    def sign(self, model: Checkpoint, history: tuple[str, ...], journal: Journal | None = None) -> Checkpoint:
        if journal is not None:
            journal.keep(vars(model))
        model.history = history
        return model

    def run(self, model: Checkpoint, batch: Any, *, exactly: bool = False) -> Outputs:
        raise UnsupportedError(
            "A checkpoint has tensors but no forward pass, so it takes no example=. Give the model as well: a module, "
            "or on the command line package.module:factory with --weights."
        )

    def save(self, model: Checkpoint, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
        whole = Checkpoint(model.entries, {**model.metadata, **metadata}, model.container, state=model.state)
        write_checkpoint(whole, path, overwrite=overwrite)

    def load(self, model: Checkpoint, path: Path) -> Checkpoint:
        read = read_checkpoint(path)
        model.entries, model.metadata, model.container, model.state = (
            read.entries,
            read.metadata,
            read.container,
            read.state,
        )
        model.history = None
        return model


@answered("gw.read_checkpoint(path)")
def read_checkpoint(path: str | Path, *, unit_axes: Mapping[str, int | None] | None = None) -> Checkpoint:
    """Read a checkpoint file without executing anything in it.

    Args:
        path: The file: .safetensors, .keras, .h5, or what torch saved (.pt, .pth, .ckpt, .bin, .pth.tar). That holds a
            state dict, bare or under "state_dict", "model_state_dict" or "model"; torch reads it with
            ``weights_only=True``. Or a folder as Hugging Face has them, with one file or with shards and their index.
        unit_axes: Along which axis of a kernel the layer's units (output features) lie, by names of tensors or patterns
            on them: ``{"up.weight": 1}`` of a transposed convolution of torch, None where no axis is theirs. Needed
            only where units are chosen and neither the file nor what stands beside the kernel tells it; kept in the
            checkpoint's metadata.

    Raises:
        SettingError: A pattern matches no kernel, or an axis is none of it.
        FileError: It is missing, truncated, hostile, or of another kind.
        UnsupportedError: It has no state dict.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise no_path("gw.read_checkpoint(path)", path, "A model or a state dict needs no reading: give it as it is.")
    folder = found_at(path) == "folder"
    read: Checkpoint = read_folder(Path(path)) if folder else _by_suffix(_READERS, Path(path))(Path(path))
    checked_axes(read.entries, read.metadata, str(path))
    if unit_axes is not None:
        read.metadata = with_told_axes(read.entries, read.metadata, unit_axes)
    return read


def write_checkpoint(checkpoint: Checkpoint, path: Path, *, overwrite: Overwrite) -> None:
    """Write a checkpoint file of the kind that the path says, atomically.

    Raises:
        FileError: The path is of another kind, exists and `overwrite` is false, or cannot be written.
    """
    if isinstance(checkpoint.container, Folder):
        if found_at(path) == "folder" or not path.suffix:
            text = checkpoint.metadata.get(RECIPE)
            card = "" if text is None else model_card(Recipe.from_json(text), title=path.name)
            write_folder(checkpoint, path, overwrite=overwrite, card=card)
            return
        checkpoint = dataclasses.replace(checkpoint, container=None)
    _by_suffix(_WRITERS, path)(checkpoint, path, overwrite=overwrite)


def _by_suffix(table: Mapping[str, Any], path: Path) -> Any:
    for suffix, function in table.items():
        if path.name.lower().endswith(suffix):
            return function
    raise FileError(f"{path}: is of no known kind. Known are {', '.join(table)}.")


BACKEND = FilesBackend()
