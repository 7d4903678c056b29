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
from genewright.backends.files.fitting import fitted
from genewright.backends.torch.network import TorchNetwork
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
    network = TorchNetwork(model)
    checkpoint = read_checkpoint(path)
    entries = fitted(checkpoint, network.tensors.values(), str(path), type(model).__name__)
    with torch.no_grad():
        for name, entry in entries.items():
            member = network.members[name]
            dtype = getattr(torch, entry.dtype)
            flat = (
                torch.frombuffer(bytearray(entry.data), dtype=dtype)
                if entry.data.nbytes
                else torch.empty(0, dtype=dtype)
            )
            member.tensor.copy_(flat.reshape(entry.shape))
