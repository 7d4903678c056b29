"""Whole Keras models from files, in safe mode."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from genewright.backends.files import read_checkpoint
from genewright.backends.files.checkpoint import RECIPE, TIES
from genewright.backends.keras.library import attributes_of, error_text, keras
from genewright.backends.keras.rebuilding import RECIPE as ATTRIBUTE
from genewright.backends.keras.tying import ties_of
from genewright.errors import FileError
from genewright.interrupts import hearing
from genewright.recipe import history_of


@hearing
def read_model(path: Path) -> Any:
    """Return the model that a .keras or a legacy .h5 file holds, compiled as it was, with its recipe.

    Compile settings that Keras cannot read back from its legacy format are left out, with a warning.

    Classes of the user's have to be registered with ``keras.saving.register_keras_serializable``.

    Raises:
        FileError: The file is missing, damaged or hostile; holds weights alone, or code; or names a class that is not
            registered.
    """
    checkpoint = read_checkpoint(path)  # refuses code before Keras sees the file
    try:
        model = _loaded(path)
    except Exception as error:
        raise FileError(
            f"{path}: Keras cannot load it in safe mode: {error_text(error)} "
            "(A class of yours has to be registered with keras.saving.register_keras_serializable; a file of weights "
            "alone is read into a model: gw.load(factory, path).)"
        ) from error
    ties_of(model, json.loads(checkpoint.metadata.get(TIES, "{}")))
    text = checkpoint.metadata.get(RECIPE)
    if text is not None:
        attributes_of(model)[ATTRIBUTE] = history_of(text)
    return model


def _loaded(path: Path) -> Any:
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:
        if path.suffix.lower() == ".keras":
            raise
        model = keras.saving.load_model(path, safe_mode=True, compile=False)
        reason = error_text(error)
        warnings.warn(f"{path}: loaded without its compile settings, which Keras cannot read ({reason}).", stacklevel=5)
        return model
