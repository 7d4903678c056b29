"""Keras models to and from safetensors files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genewright.backends.files.checkpoint import TIES, Checkpoint, Entry
from genewright.backends.files.safetensors import read_safetensors, write_safetensors
from genewright.backends.keras.network import KerasNetwork
from genewright.backends.keras.store import KerasStore
from genewright.errors import FileError


def save_model(model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: bool) -> None:
    """Write every variable, one that has several names under each of them."""
    network = KerasNetwork(model)
    entries: dict[str, Entry] = {}
    ties: dict[str, str] = {}
    for name, tensor in network.tensors.items():
        for alias in (name, *tensor.aliases):
            entries[alias] = Entry(tensor.dtype, tensor.shape, np.frombuffer(network.raw(name), np.uint8))
        ties.update(dict.fromkeys(tensor.aliases, name))
    about = dict(metadata) | ({TIES: json.dumps(ties)} if ties else {})
    write_safetensors(Checkpoint(entries, about), path, overwrite=overwrite)


def load_model(model: Any, path: Path) -> None:
    """Assign a file's tensors to `model`; nothing changes unless every name and shape fits."""
    network = KerasNetwork(model)
    checkpoint = read_safetensors(path)
    wanted = {alias: tensor for tensor in network.tensors.values() for alias in (tensor.name, *tensor.aliases)}
    missing = [name for name in wanted if name not in checkpoint.entries]
    extra = [name for name in checkpoint.entries if name not in wanted]
    if missing or extra:
        raise FileError(
            f"{path}: does not fit this {type(model).__name__}: "
            f"missing in the file {missing[:5]}, unknown to the model {extra[:5]}."
        )
    for name, tensor in wanted.items():
        entry = checkpoint.entries[name]
        if (entry.shape, entry.dtype) != (tensor.shape, tensor.dtype):
            raise FileError(
                f"{path}: {name!r} is {entry.dtype} of shape {entry.shape}, the model's is {tensor.dtype} "
                f"of shape {tensor.shape}."
            )
    store = KerasStore(network.members)
    for tensor in network.tensors.values():
        with store.elements(tensor.name) as values:
            values.view(np.uint8)[...] = checkpoint.entries[tensor.name].data
