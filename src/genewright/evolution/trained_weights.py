"""Where trained weights are kept: a folder of files, each under the fingerprint of what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from genewright.backends import backend_of
from genewright.errors import FileError, SettingError, StoreError
from genewright.files import load as load_model
from genewright.files import save as save_model
from genewright.mutate import fingerprint
from genewright.storage import write_atomically

_SETTINGS = "settings"


class TrainedWeights:
    """A folder with two files an individual: weights with their recipe, and what training goes on from.

    What is in a file never changes, so any number of processes may write: the first one counts. A file is whole before
    the individual is kept in the store.

    Args:
        folder: The folder; it is made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, folder: str | os.PathLike[str] | None, store: str | os.PathLike[str] | None) -> TrainedWeights:
        """Return the weights of a run, by what it said of them.

        Args:
            folder: The folder, where the run names one.
            store: The run's store, beside which they lie otherwise; None for a run in memory.

        Raises:
            SettingError: The store is a database, beside which there is no folder.
        """
        if folder is not None:
            return cls(Path(folder))
        if store is None:
            return cls.passing()
        if "://" in str(store):
            raise SettingError(
                "Trained weights lie in a folder, and there is none beside a database. Write "
                "train=gw.Training(function, folder='weights'), where every worker can see it."
            )
        return cls(Path(f"{os.fspath(store)}.weights"))

    @classmethod
    def passing(cls) -> TrainedWeights:
        """Return a folder that is gone with the last who holds it."""
        made = cls(Path(tempfile.mkdtemp(prefix="genewright-")))
        weakref.finalize(made, shutil.rmtree, made.folder, ignore_errors=True)
        return made

    def keep(self, model: Any, settings: Mapping[str, float], state: Mapping[str, NDArray[Any]]) -> str:
        """Keep a trained model, and return the key of it.

        Raises:
            FileError: It cannot be written.
        """
        weights = fingerprint(model).partition(":")[2]
        arrays = {name: np.ascontiguousarray(array) for name, array in sorted(state.items())}
        content = save(arrays, {_SETTINGS: json.dumps(dict(settings), sort_keys=True)})
        key = f"{weights}-{hashlib.sha256(content).hexdigest()[:16]}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"{self.folder}: the folder of trained weights cannot be made ({error.strerror})."
            ) from error
        file, beside = self._files(key)
        if not file.exists():
            save_model(model, file, overwrite=True)
        if not beside.exists():
            write_atomically(beside, [content], overwrite=True)
        return key

    def model(self, base: Any, key: str) -> Any:
        """Return a trained model, which is the caller's own, with its recipe.

        Args:
            base: What the run started from; it is only copied.
            key: What `keep` returned.

        Raises:
            StoreError: The file is gone, or holds something else.
        """
        file, _ = self._files(key)
        if not file.exists():
            raise StoreError(
                f"{file}: the trained weights of an individual are gone. The run cannot go on without them."
            )
        try:
            made = load_model(lambda: backend_of(base).copy(base), file)
        except FileError as error:
            raise StoreError(f"{file}: the trained weights of an individual are damaged: {error}") from error
        found = fingerprint(made)
        if key.partition("-")[0] != found.partition(":")[2]:
            raise StoreError(
                f"{file}: holds the network {found}, and not what was trained. It was changed or is damaged."
            )
        return made

    def inherited(self, key: str) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return the settings that an individual was trained with, and what its training returned.

        Raises:
            StoreError: The file is gone or damaged.
        """
        _, file = self._files(key)
        try:
            content = file.read_bytes()
            length = int.from_bytes(content[:8], "little")
            settings = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_SETTINGS])
            return settings, load(content)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise StoreError(f"{file}: what the training goes on from is gone or damaged: {error}") from error

    def _files(self, key: str) -> tuple[Path, Path]:
        weights, _, state = key.partition("-")
        return self.folder / f"{weights}.safetensors", self.folder / f"{state}.state"
