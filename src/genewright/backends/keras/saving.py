"""Keras models to and from files: whole models, and weights alone."""

from __future__ import annotations

import importlib
import json
import tempfile
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genewright.backends.files import read_checkpoint
from genewright.backends.files.checkpoint import TIES, Checkpoint, Entry, untold_axes
from genewright.backends.files.fitting import fitted
from genewright.backends.files.hdf5 import put_text
from genewright.backends.files.keras_archive import METADATA, archived, with_metadata
from genewright.backends.files.safetensors import write_safetensors
from genewright.backends.files.unit_axes import AXES
from genewright.backends.keras.cloning import preserve_python_random
from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph
from genewright.backends.keras.network import KerasNetwork
from genewright.backends.keras.store import KerasStore
from genewright.backends.keras.subclassed import by_config, differing
from genewright.errors import FileError, UnsupportedError
from genewright.process_state import warnings_ignored
from genewright.storage import Overwrite, refuse_existing, write_atomically


def save_model(model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
    """Write a model or its weights, by the file's suffix, with `metadata` inside.

    | suffix | holds |
    |---|---|
    | .keras | the whole model: architecture, weights, compile settings; the metadata in metadata.json |
    | .weights.h5 | the weights as Keras 3 writes them; the metadata in a dataset of its own |
    | .h5 | the whole model in Keras's legacy format; the metadata likewise |
    | .safetensors | the variables, under their names |

    All of them are read by Keras (or safetensors) without genewright.

    Raises:
        FileError: The suffix is none of these; the file exists and `overwrite` is false, or it cannot be written.
    """
    refuse_existing(path, overwrite=overwrite)
    network = KerasNetwork(model)
    ties = {alias: name for name, tensor in network.tensors.items() for alias in tensor.aliases}
    about = dict(metadata) | ({TIES: json.dumps(ties)} if ties else {})
    if path.suffix.lower() == ".safetensors":
        if network.state:
            raise FileError(f"{path}: holds variables alone, and {_own(network)} Write the whole model: mutant.keras.")
        write_safetensors(_checkpoint(network, about), path, overwrite=overwrite)
        return
    suffix = next((s for s in (".weights.h5", ".h5", ".keras") if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise FileError(f"{path}: a Keras model is written as .keras, .weights.h5, .h5 or .safetensors.")
    if suffix != ".weights.h5" and isinstance(model, keras.Model) and not is_graph(model):
        _refuse_unsaid(model, path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".genewright-") as folder:
        draft = Path(folder, f"draft{suffix}")
        _write(model, draft, suffix, about)
        write_atomically(path, [draft.read_bytes()], overwrite=overwrite)


def _refuse_unsaid(model: Any, path: Path) -> None:
    """Refuse a whole-model file of a subclassed model whose layers are no longer what its class's config gives."""
    try:
        with preserve_python_random():
            changed = differing(model, by_config(model))
    except UnsupportedError:
        return  # a class without a config: Keras's own loading says so
    if changed:
        raise FileError(
            f"{path}: the get_config of class {type(model).__name__} does not know the changed layers "
            f"{list(changed)[:5]}, so Keras would make the old ones from this file. Write the weights "
            "(gw.save(model, 'mutant.safetensors')), and read them with gw.load(factory, 'mutant.safetensors'), which "
            "makes the architecture again from the recipe in it."
        )


def load_model(model: Any, path: Path) -> None:
    """Assign a file's tensors to `model`; nothing changes unless every name and shape fits.

    Args:
        model: The model.
        path: A file that `save_model` or Keras wrote.
    """
    network = KerasNetwork(model)
    if network.state:
        raise FileError(
            f"{path}: only variables are read into a model of yours, and {_own(network)} Load the whole model: "
            "keras.models.load_model(path), with its class registered (keras.saving.register_keras_serializable)."
        )
    checkpoint = read_checkpoint(path)
    entries = fitted(checkpoint, network.tensors.values(), str(path), type(model).__name__)
    for name, entry in entries.items():
        if entry.dtype != network.tensors[name].dtype:
            raise FileError(f"{path}: {name!r} is {entry.dtype}, the model's is {network.tensors[name].dtype}.")
    store = KerasStore(model)
    for name, entry in entries.items():
        with store.memory(name).open() as values:
            values.view(np.uint8)[...] = entry.data


def _own(network: KerasNetwork) -> str:
    name, state = next(iter(network.state.items()))
    return f"{state.layer or 'the model'!r} keeps more of its own ({name!r}), as its save_own_variables says."


@contextmanager
def _compile_settings_kept(model: Any) -> Generator[None]:
    """Put the optimizer back into a model's compile settings, from where Keras's writer of .h5 takes it for good."""
    settings = getattr(getattr(model, "_compile_config", None), "config", None)
    before = dict(settings or {})
    try:
        yield
    finally:
        if settings is not None:
            settings.clear()
            settings.update(before)


def _write(model: Any, draft: Path, suffix: str, about: Mapping[str, str]) -> None:
    with warnings_ignored(), _compile_settings_kept(model):  # .h5 is the legacy format: the caller has chosen it
        if suffix == ".weights.h5":
            model.save_weights(draft)
        else:
            model.save(draft)
    if suffix == ".keras":
        with zipfile.ZipFile(draft) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members[METADATA] = with_metadata(members[METADATA], about)
        draft.write_bytes(archived(members))
        return
    with importlib.import_module("h5py").File(draft, "r+") as file:
        for key, text in about.items():
            put_text(file, key, text)


def _checkpoint(network: KerasNetwork, about: dict[str, str]) -> Checkpoint:
    entries: dict[str, Entry] = {}
    for name, tensor in network.tensors.items():
        for alias in (name, *tensor.aliases):
            entries[alias] = Entry(tensor.dtype, tensor.shape, np.frombuffer(network.raw(name), np.uint8))
    known = {t.name: t.unit_axis for t in network.tensors.values() if t.role in ("kernel", "recurrent_kernel", "bias")}
    if axes := untold_axes(entries, known):
        about = about | {AXES: json.dumps(axes)}
    return Checkpoint(entries, about)
