"""Keras's .keras files as checkpoints, without Keras: the weights are read, the architecture is looked at."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genewright.backends.files.checkpoint import Checkpoint
from genewright.backends.files.hdf5 import Hdf5Container, checkpoint_of_hdf5, metadata_of, patched
from genewright.backends.files.keras_config import LayerConfigs, refuse_code
from genewright.errors import FileError
from genewright.storage import write_atomically

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
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: _bounded(archive, info) for info in archive.infolist()}
        metadata, config = (json.loads(members[name]) for name in (METADATA, CONFIG))
        weights = members.pop(WEIGHTS)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except KeyError as error:
        raise FileError(f"{path}: is not a .keras file: {error} is missing in it.") from None
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise FileError(f"{path}: is not a whole .keras file ({error}). It may be truncated: copy it again.") from error
    refuse_code(config, str(path))
    checkpoint = checkpoint_of_hdf5(weights, str(path), LayerConfigs(config))
    checkpoint.metadata = metadata_of(metadata)
    checkpoint.container = ArchiveContainer(members, checkpoint.container)
    return checkpoint


def write_archive(checkpoint: Checkpoint, path: Path, *, overwrite: bool) -> None:
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


def _bounded(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > (1 << 30) and info.file_size > 100 * max(1, info.compress_size):
        raise ValueError(f"{info.filename!r} declares {info.file_size} bytes, and the file holds a fraction of that")
    return archive.read(info)
