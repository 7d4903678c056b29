"""Torch modules to and from checkpoint files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from genewright.backends.files import read_checkpoint, write_checkpoint
from genewright.backends.files.checkpoint import TIES, Checkpoint, Entry
from genewright.backends.torch.network import TorchNetwork
from genewright.errors import FileError
from genewright.storage import Overwrite


def save_module(model: nn.Module, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
    """Write parameters and persistent buffers, a tied tensor under each of its names."""
    network = TorchNetwork(model)
    entries: dict[str, Entry] = {}
    ties: dict[str, str] = {}
    for name, tensor in network.tensors.items():
        data = np.frombuffer(network.raw(name), np.uint8)  # one array under all names: a .pt file keeps the tie itself
        for alias in (name, *tensor.aliases):
            entries[alias] = Entry(tensor.dtype, tensor.shape, data)
        ties.update(dict.fromkeys(tensor.aliases, name))
    about = dict(metadata) | ({TIES: json.dumps(ties)} if ties else {})
    write_checkpoint(Checkpoint(entries, about), path, overwrite=overwrite)


def load_module(model: nn.Module, path: Path) -> None:
    """Copy a file's tensors into `model`; nothing changes unless all names and shapes fit."""
    members = TorchNetwork(model).members
    checkpoint = read_checkpoint(path)
    wanted = {name: member for member in members.values() for name in member.names}
    missing = [name for name in wanted if name not in checkpoint.entries]
    extra = [name for name in checkpoint.entries if name not in wanted]
    if missing or extra:
        raise FileError(
            f"{path}: does not fit this {type(model).__name__}: "
            f"missing in the file {missing[:5]}, unknown to the model {extra[:5]}."
        )
    for name, member in wanted.items():
        entry = checkpoint.entries[name]
        if entry.shape != tuple(member.tensor.shape):
            raise FileError(f"{path}: {name!r} has shape {entry.shape}, the model's has {tuple(member.tensor.shape)}.")
    with torch.no_grad():
        for name, member in wanted.items():
            entry = checkpoint.entries[name]
            dtype = getattr(torch, entry.dtype)
            flat = (
                torch.frombuffer(bytearray(entry.data), dtype=dtype)
                if entry.data.nbytes
                else torch.empty(0, dtype=dtype)
            )
            member.tensor.copy_(flat.reshape(entry.shape))
