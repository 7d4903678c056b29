"""Torch modules to and from checkpoint files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from genewright.backends.files import read_checkpoint, write_checkpoint
from genewright.backends.files.checkpoint import TIES, Checkpoint, Entry, untold_axes
from genewright.backends.files.fitting import fitted
from genewright.backends.files.pickled import Versions
from genewright.backends.files.unit_axes import AXES
from genewright.backends.files.values import Writer
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.state import put_state
from genewright.backends.torch.tensors import layers_under_stable_names
from genewright.errors import FileError
from genewright.storage import Overwrite
from genewright.units import feature_axis

_FACTORS = ("original0", "original1", "weight_g", "weight_v")


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
    if axes := untold_axes(entries, _turning(network)):
        about[AXES] = json.dumps(axes)
    versions = Versions(
        {name: {"version": module._version} for name, module in layers_under_stable_names(model).items()}  # pyright: ignore[reportPrivateUsage]
    )
    write_checkpoint(Checkpoint(entries, about, versions, state=dict(network.state)), path, overwrite=overwrite)


def _turning(network: TorchNetwork) -> dict[str, int | None]:
    """Return along which axes the units of kernels lie, and of their factors."""
    tensors = network.tensors.values()
    kernels = [t for t in tensors if t.role == "kernel" or (t.role == "parameter" and t.name.endswith(_FACTORS))]
    return {kernel.name: feature_axis(kernel, network) for kernel in kernels}


def load_module(model: nn.Module, path: Path) -> None:
    """Copy a file's tensors into `model`; nothing changes unless all names and shapes fit.

    Numbers of another dtype become the model's, as torch's own loading has it; a warning says so.

    Raises:
        FileError: The names or shapes are others, or complex numbers would lose their imaginary parts.
    """
    network = TorchNetwork(model)
    checkpoint = read_checkpoint(path)
    states = {name: state.data for name, state in checkpoint.state.items() if state.data is not None}
    for name in network.state:
        if name in checkpoint.entries:  # torch's own files hold state that is a dense tensor as any other
            entry = checkpoint.entries.pop(name)
            states[name] = Writer(torch).data(_tensor(entry))
    entries = fitted(checkpoint, network.tensors.values(), str(path), type(model).__name__)
    _say_casts(network, entries, path)
    put_state(model, states, str(path))
    with torch.no_grad():
        for name, entry in entries.items():
            network.members[name].tensor.copy_(_tensor(entry))


def _say_casts(network: TorchNetwork, entries: Mapping[str, Entry], path: Path) -> None:
    cast = [name for name, entry in entries.items() if entry.dtype != network.tensors[name].dtype]
    if not cast:
        return
    held, kept = entries[cast[0]].dtype, network.tensors[cast[0]].dtype
    what = f"{path}: {cast[0]!r} is {held} in the file and {kept} in the model"
    whole = [n for n in cast if entries[n].dtype.startswith("complex") > network.tensors[n].dtype.startswith("complex")]
    if whole:
        raise FileError(f"{what}, which has no place for imaginary parts. Make the model complex first.")
    more = f" ({len(cast)} tensors of {len(entries)} are so)" if len(cast) > 1 else ""
    warnings.warn(
        f"{what}{more}: the numbers become the model's, and the fingerprint is no longer the file's. For the file's "
        f"own numbers give a model that has them: model.to(torch.{held}).",
        stacklevel=5,  # who called gw.load
    )


def _tensor(entry: Entry) -> torch.Tensor:
    dtype = getattr(torch, entry.dtype)
    if not entry.data.nbytes:
        return torch.empty(entry.shape, dtype=dtype)
    return torch.frombuffer(bytearray(entry.data), dtype=dtype).reshape(entry.shape)
