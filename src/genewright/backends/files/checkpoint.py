"""A checkpoint: named tensors as bytes, without a framework and without a model."""

from __future__ import annotations

import copy
import functools
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.files.keras_layout import fans_of, input_axis_of, unit_axis_of
from genewright.backends.files.unit_axes import UnitAxis, unit_axes_of
from genewright.edits import Edit, Memory, Store, Tie
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.layer import Layer
from genewright.network import Network
from genewright.state import State
from genewright.tensor import COMPLEX, FLOATS, Initial, Role, Tensor, fans, in_order, refuse_untieable, role_of_name

RECIPE = "genewright.recipe"
TIES = "genewright.ties"
STATE = "genewright.state"


@dataclass
class Entry:
    """One tensor of a checkpoint.

    Attributes:
        dtype: "float32", "bfloat16", "int64", ...
        shape: Its shape.
        data: Its bytes in row-major order, little-endian; tied names share one array.
        about: What is known of the tensor, where the file tells more than its name.
    """

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    about: Tensor | None = None


@dataclass
class Checkpoint:
    """Named tensors read from a file; `gw.mutate` and all others take it as they take a model.

    Attributes:
        entries: The tensors by name.
        metadata: Text that travels in the file.
        container: What else the file held (a .pt file's tree), to be written back around the tensors.
        history: How it was made, as texts of steps; None where that stands in the metadata, as a file has it.
        state: What the file holds of a model that is no plain tensor, by name.
    """

    entries: dict[str, Entry]
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    container: Any = None
    history: tuple[str, ...] | None = None
    state: dict[str, State] = field(default_factory=dict[str, State])

    def __deepcopy__(self, memo: dict[int, Any]) -> Checkpoint:
        copies: dict[int, NDArray[np.uint8]] = {}
        for entry in self.entries.values():
            if id(entry.data) not in copies:
                copies[id(entry.data)] = entry.data.copy()
        entries = {name: replace(e, data=copies[id(e.data)]) for name, e in self.entries.items()}
        return Checkpoint(
            entries, dict(self.metadata), copy.deepcopy(self.container, memo), self.history, dict(self.state)
        )

    def __repr__(self) -> str:
        size = sum(math.prod(e.shape) for e in self.entries.values())
        return f"Checkpoint({len(self.entries)} tensors, {size:,} values)"


class CheckpointNetwork(Network):
    """The read-only view of a checkpoint: roles are guessed from names, every float tensor counts as trainable."""

    unseen = (
        "A checkpoint is tensors alone: it cannot be run, and this has to see a model run. Load it into its model: "
        "model = gw.load(factory, path)."
    )

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._entries = checkpoint.entries
        self._state = checkpoint.state
        tied: dict[int, list[str]] = {}
        for name, entry in checkpoint.entries.items():
            tied.setdefault(id(entry.data), []).append(name)
        ordered = [in_order(names) for names in tied.values()]
        self.tensors = {name: _tensor(name, checkpoint.entries, tuple(rest)) for name, *rest in ordered}
        for name, known in unit_axes_of(checkpoint.entries, checkpoint.metadata).items():
            if name in self.tensors:
                self.tensors[name] = _along(self.tensors[name], known)

    def _layers(self) -> dict[str, Layer]:
        return super()._layers() | {name: Layer(name=name, kind="attention", heads=n) for name, n in self._attentions()}

    def _attentions(self) -> Iterator[tuple[str, int]]:
        """Yield Keras's attention layers with their heads: of layers with kernels (in, heads, size)."""
        for tensor in self.tensors.values():
            around, _, part = tensor.layer.rpartition(".")
            if part != "query" or not tensor.name.endswith(".kernel") or len(tensor.shape) != 3:
                continue
            heads = tensor.shape[1]
            names = [f"{around}.{other}.kernel".lstrip(".") for other in ("key", "value", "attention_output")]
            beside = [self.tensors[name].shape for name in names if name in self.tensors]
            if len(beside) == 3 and beside[0][1] == beside[1][1] == beside[2][0] == heads:
                yield around, heads

    @functools.cached_property
    def state(self) -> Mapping[str, State]:
        return self._state

    def raw(self, name: str) -> memoryview:
        return self._entries[name].data.data

    def initial(self, name: str) -> Initial | None:
        return None


class EntryMemory(Memory):
    """The elements of a checkpoint's entry."""

    def __init__(self, tensor: Tensor, entry: Entry) -> None:
        self.tensor = tensor
        self._entry = entry
        self._data = entry.data  # as it lies now

    def open(self) -> AbstractContextManager[NDArray[Any]]:
        return nullcontext(typed(replace(self._entry, data=self._data)))


class CheckpointStore(Store):
    """The tensors of a checkpoint, for writing."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._entries = checkpoint.entries
        self._network = CheckpointNetwork(checkpoint)

    def memory(self, name: str) -> Memory:
        tensor = self._network.tensor(name)
        return EntryMemory(tensor, self._entries[tensor.name])

    def restructure(self, edit: Edit) -> None:
        if not isinstance(edit, Tie):
            super().restructure(edit)
            return
        network = CheckpointNetwork(self._checkpoint)
        tensor, to = network.tensor(edit.tensor), network.tensor(edit.to)
        refuse_untieable(tensor, to)
        journal = self.journal or Journal()
        journal.keep(self._checkpoint.metadata)
        for name in (tensor.name, *tensor.aliases):
            journal.keep(vars(self._entries[name]))
            self._entries[name].data = self._entries[to.name].data
        self._retied()

    def finish(self) -> Checkpoint:
        return self._checkpoint

    def _retied(self) -> None:
        """Let the metadata and the view say which names are tied now."""
        self._network = CheckpointNetwork(self._checkpoint)
        ties = ties_of(self._checkpoint)
        self._checkpoint.metadata.pop(TIES, None)
        if ties:
            self._checkpoint.metadata[TIES] = json.dumps(ties)


def ties_of(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the further names of tied tensors, each with the name that the tensor goes by."""
    tensors = CheckpointNetwork(checkpoint).tensors.values()
    return {alias: tensor.name for tensor in tensors for alias in tensor.aliases}


def untold_axes(entries: Mapping[str, Entry], known: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return those axes of units that a file with these tensors would tell otherwise, or not at all.

    Args:
        entries: What is about to be written.
        known: The axis in the model, or None, by the names of tensors.
    """
    tensors = CheckpointNetwork(Checkpoint(dict(entries))).tensors
    read = {name: tensor for name, tensor in tensors.items() if name in known and len(tensor.shape) > 1}
    return {name: known[name] for name, tensor in read.items() if tensor.doubt or tensor.unit_axis != known[name]}


def typed(entry: Entry) -> NDArray[Any]:
    """Return the elements of an entry, 1-D, sharing its memory; bfloat16 as uint16.

    Raises:
        UnsupportedError: NumPy has no such type.
    """
    name = "uint16" if entry.dtype == "bfloat16" else entry.dtype
    try:
        dtype = np.dtype(name)
    except TypeError:
        raise UnsupportedError(f"Tensors of dtype {entry.dtype} can be kept but not changed.") from None
    if sys.byteorder == "big":
        dtype = dtype.newbyteorder("<")
    return entry.data.view(dtype)


def _along(tensor: Tensor, known: UnitAxis) -> Tensor:
    """Return what is known of a kernel whose units lie, or may lie, along an axis that is not the usual one."""
    axis = known.axis
    if tensor.role not in ("kernel", "recurrent_kernel") or axis is None:
        return replace(tensor, unit_axis=axis, input_axis=None, doubt=known.doubt)
    turned = len(tensor.shape) == 2 and tensor.unit_axis != axis
    fan_in, fan_out = (tensor.fan_out, tensor.fan_in) if turned else (tensor.fan_in, tensor.fan_out)
    return replace(tensor, unit_axis=axis, input_axis=known.inputs, fan_in=fan_in, fan_out=fan_out)


def _tensor(name: str, entries: Mapping[str, Entry], aliases: tuple[str, ...]) -> Tensor:
    entry = entries[name]
    if entry.about is not None:
        return replace(entry.about, name=name, aliases=aliases)
    role: Role = role_of_name(name, entry.shape)
    if role == "embedding" and f"{name.rpartition('.')[0]}.bias" in entries:
        role = "kernel"  # a linear layer inside something that embeds: a table of rows has no bias
    trainable = role not in ("statistic", "buffer") and entry.dtype in (*FLOATS, *COMPLEX)
    if not trainable and role != "statistic":
        role = "buffer"
    unit_axis = None if not entry.shape else 1 if role == "embedding" else 0
    input_axis = 1 if role in ("kernel", "recurrent_kernel") and len(entry.shape) > 1 else None
    count = fans
    if entry.shape and (name.endswith("kernel") or f"{name.rpartition('.')[0]}.kernel".lstrip(".") in entries):
        unit_axis = unit_axis_of((), name.rpartition(".")[2], role, entry.shape)  # Keras's names, and its layout
        input_axis = input_axis_of(role, unit_axis, entry.shape)
        count = fans_of
    fan_in, fan_out = count(entry.shape) if role in ("kernel", "recurrent_kernel", "embedding") else (None, None)
    return Tensor(
        name=name,
        shape=entry.shape,
        dtype=entry.dtype,
        role=role,
        layer=name.rsplit(".", 1)[0] if "." in name else "",
        layer_type="",
        trainable=trainable,
        aliases=aliases,
        unit_axis=unit_axis,
        input_axis=input_axis,
        fan_in=fan_in,
        fan_out=fan_out,
        nbytes=entry.data.nbytes,
    )
