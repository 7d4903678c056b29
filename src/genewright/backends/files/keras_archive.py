"""Keras's .keras files as checkpoints, without Keras: the weights are read, the architecture is looked at."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genewright.backends.files.archive import members_of
from genewright.backends.files.bounds import read_json
from genewright.backends.files.checkpoint import Checkpoint
from genewright.backends.files.hdf5 import Hdf5Container, checkpoint_of_hdf5, metadata_of, patched
from genewright.backends.files.keras_config import LayerConfigs, refuse_code
from genewright.errors import FileError
from genewright.storage import Overwrite, read_file, write_atomically

METADATA = "metadata.json"
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"


@dataclass
class ArchiveContainer:
    """What an archive held beside its tensors: its other members, and the weights file."""

    members: dict[str, bytes]
    weights: Hdf5Container


def read_archive(path: Path) -> Checkpoint:
    """Read a .keras file whole; nothing in it is executed.

    Raises:
        FileError: It is missing, truncated, hostile (code, a bomb), or no file of Keras.
    """
    data = read_file(path)
    members = members_of(data, str(path))
    missing = [name for name in (METADATA, CONFIG, WEIGHTS) if name not in members]
    if missing:
        raise FileError(f"{path}: is not a .keras file: {missing[0]!r} is missing in it.")
    metadata, config = (read_json(members[name], f"{path}: {name}", held=len(data)) for name in (METADATA, CONFIG))
    weights = members.pop(WEIGHTS)
    if not isinstance(metadata, dict) or not isinstance(config, dict):
        raise FileError(f"{path}: is not a .keras file: its {METADATA} or {CONFIG} is no object.")
    refuse_code(config, str(path))
    checkpoint = checkpoint_of_hdf5(weights, str(path), LayerConfigs(cast(Any, config)))
    checkpoint.metadata = metadata_of(cast(Any, metadata))
    checkpoint.container = ArchiveContainer(members, checkpoint.container)
    return checkpoint


def write_archive(checkpoint: Checkpoint, path: Path, *, overwrite: Overwrite) -> None:
    """Write the archive that a checkpoint was read from, with its tensors and metadata as they are now.

    Raises:
        FileError: The checkpoint comes from another kind of file; the file exists and `overwrite` is false, or it
            cannot be written.
    """
    container = checkpoint.container
    if not isinstance(container, ArchiveContainer):
        raise FileError(
            f"{path}: a .keras file holds the architecture too, which this checkpoint does not. Write .safetensors, "
            "or load the model, and save that."
        )
    weights = patched(Checkpoint(checkpoint.entries), container.weights)
    members = {**container.members, METADATA: with_metadata(container.members[METADATA], checkpoint.metadata)}
    write_atomically(path, [archived({**members, WEIGHTS: weights})], overwrite=overwrite)


def with_metadata(text: bytes, ours: Mapping[str, str]) -> bytes:
    """Return an archive's metadata.json with our entries in the place of those that were ours."""
    about = cast(dict[str, Any], json.loads(text))
    for key in metadata_of(about):
        del about[key]
    return json.dumps({**about, **metadata_of(ours)}).encode()


def archived(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive, stored without compression as Keras writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()
