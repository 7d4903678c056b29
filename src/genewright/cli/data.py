"""Data files: arrays in .npy and .npz, never executed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from genewright.errors import DataError, FileError

_TARGETS = ("y", "targets", "labels")


def open_data(path: Path) -> Any:
    """Read samples, and targets where there are any.

    Args:
        path: A .npy file with the samples, or an .npz file: an array called y, targets or labels holds the targets;
            the one array left holds the samples, several left are keyword inputs by name.

    Raises:
        FileError: The file cannot be read, or holds pickled objects (which are not executed).
        DataError: It holds no samples.
    """
    if path.suffix.lower() not in (".npy", ".npz"):
        raise FileError(f"{path}: data is read from .npy and .npz files (numpy.save, numpy.savez).")
    try:
        with path.open("rb") as file:
            held: Any = np.load(file, allow_pickle=False)
            if isinstance(held, np.ndarray):
                return cast(Any, held)
            arrays = {str(name): held[name] for name in held.files}
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and error.strerror:
            raise FileError(f"{path}: cannot be read ({error.strerror}).") from error
        if "allow_pickle" in str(error) or "pickled" in str(error):
            raise FileError(f"{path}: holds pickled objects, which are not executed. Save plain numbers.") from error
        raise FileError(f"{path}: is damaged or no data file ({str(error).splitlines()[0]}).") from error
    targets = [arrays.pop(name) for name in _TARGETS if name in arrays]
    if len(targets) > 1:
        raise DataError(f"{path}: holds targets twice; keep one of {', '.join(_TARGETS)}.")
    if not arrays:
        raise DataError(f"{path}: holds no samples. Save them as X: numpy.savez(path, X=samples, y=targets).")
    inputs = next(iter(arrays.values())) if len(arrays) == 1 else arrays
    return (inputs, targets[0]) if targets else inputs
