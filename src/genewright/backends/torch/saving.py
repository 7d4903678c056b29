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
from genewright.backends.files.pickled import Versions
from genewright.backends.files.values import Writer
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.state import put_state
from genewright.backends.torch.tensors import layers_under_stable_names
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
    versions = Versions(
        {name: {"version": module._version} for name, module in layers_under_stable_names(model).items()}  # pyright: ignore[reportPrivateUsage]
    )
    write_checkpoint(Checkpoint(entries, about, versions, state=dict(network.state)), path, overwrite=overwrite)


def load_module(model: nn.Module, path: Path) -> None:
    """Copy a file's tensors into `model`; nothing changes unless all names and shapes fit."""
    network = TorchNetwork(model)
    checkpoint = read_checkpoint(path)
    states = {name: state.data for name, state in checkpoint.state.items() if state.data is not None}
    for name in network.state:
        if name in checkpoint.entries:  # torch's own files hold state that is a dense tensor as any other
            entry = checkpoint.entries.pop(name)
            states[name] = Writer(torch).data(_tensor(entry))
    entries = fitted(checkpoint, network.tensors.values(), str(path), type(model).__name__)
    put_state(model, states, str(path))
    with torch.no_grad():
        for name, entry in entries.items():
            network.members[name].tensor.copy_(_tensor(entry))


def _tensor(entry: Entry) -> torch.Tensor:
    dtype = getattr(torch, entry.dtype)
    if not entry.data.nbytes:
        return torch.empty(entry.shape, dtype=dtype)
    return torch.frombuffer(bytearray(entry.data), dtype=dtype).reshape(entry.shape)
