"""Checkpoints in safetensors files: no code can hide in one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors as library

from genewright.backends.files.bounds import read_json
from genewright.backends.files.checkpoint import RECIPE, STATE, TIES, Checkpoint, Entry, ties_of
from genewright.errors import FileError
from genewright.state import State
from genewright.storage import Overwrite, read_file, write_atomically

_FORMAT = "format"
_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
    "BOOL": "bool", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip


def read_safetensors(path: Path) -> Checkpoint:
    """Read a file whole.

    Raises:
        FileError: It is missing, truncated or no safetensors file.
    """
    data = read_file(path)
    header = _header(data, path)
    try:
        parts: list[tuple[str, Mapping[str, Any]]] = library.deserialize(data)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        entries = {
            name: Entry(_NAMES[part["dtype"]], tuple(part["shape"]), np.frombuffer(part["data"], np.uint8))
            for name, part in sorted(cast(Any, parts), key=lambda named: named[0])
        }
    except library.SafetensorError as error:
        hint = " It may be truncated: copy or download it again." if data else " It is empty."
        raise FileError(f"{path}: is not a whole safetensors file ({error}).{hint}") from error
    except KeyError as error:
        raise FileError(f"{path}: has tensors of dtype {error}, which this version does not know.") from None
    checkpoint = Checkpoint(entries, dict(header.get("__metadata__") or {}))
    _take_state(checkpoint, path)
    _tie(checkpoint, path)
    return checkpoint


def _state_entry(state: State) -> Entry:
    if state.data is None:
        raise FileError(
            f"{state.name!r} ({state.what}) holds objects of Python, which a file that executes nothing cannot hold. "
            "Save what it needs as tensors, numbers, texts, lists and dicts of such (get_extra_state)."
        )
    return Entry("uint8", (len(state.data),), np.frombuffer(state.data, np.uint8))


def _take_state(checkpoint: Checkpoint, path: Path) -> None:
    """Take out of the tensors what the file says is state."""
    try:
        said = dict(read_json(checkpoint.metadata.get(STATE, "{}"), f"{path}: its list of state"))
        for name, about in said.items():
            data = checkpoint.entries.pop(name).data.tobytes()
            layer = name.rpartition(".")[0]
            checkpoint.state[name] = State(
                name=name, layer=layer, what="is state", size=len(data), about=bytes.fromhex(about), data=data
            )
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: its list of state does not fit its tensors ({error}).") from None


def _header(data: bytes, path: Path) -> dict[str, Any]:
    """Return the header, before the library makes anything of it: it takes the last of two entries of one name.

    Raises:
        FileError: It is damaged, or describes more than the file can hold.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        hint = "It may be truncated: copy or download it again." if data else "It is empty."
        raise FileError(f"{path}: is not a whole safetensors file (its header ends behind its end). {hint}")
    header = read_json(data[8 : 8 + length], f"{path}: its header", held=len(data))
    if not isinstance(header, dict):
        raise FileError(f"{path}: is not a whole safetensors file (its header is no object).")
    return cast("dict[str, Any]", header)


def write_safetensors(checkpoint: Checkpoint, path: Path, *, overwrite: Overwrite) -> None:
    """Write a file, atomically; a tied tensor is written under each of its names.

    The metadata say "format": "pt" where they say no other: transformers and accelerate read no file without it.

    Raises:
        FileError: It exists and `overwrite` is false, or it cannot be written.
    """
    entries = {**checkpoint.entries, **{name: _state_entry(state) for name, state in checkpoint.state.items()}}
    about = {_FORMAT: "pt"} | checkpoint.metadata
    about.pop(STATE, None)
    about.pop(TIES, None)
    if ties := ties_of(checkpoint):
        about[TIES] = json.dumps(ties)
    if checkpoint.state:
        about[STATE] = json.dumps({name: state.about.hex() for name, state in checkpoint.state.items()})
    specs = {
        name: library.TensorSpec(
            dtype=entry.dtype,
            shape=list(entry.shape),
            data_ptr=entry.data.ctypes.data if entry.data.size else 0,
            data_len=entry.data.nbytes,
        )
        for name, entry in entries.items()
    }

    def write(temporary: Path) -> None:
        try:
            library.serialize_file(specs, temporary, about)  # pyright: ignore[reportUnknownMemberType]
            _order_metadata(temporary)
        except library.SafetensorError as error:
            raise OSError(str(error)) from error

    write_atomically(path, write, overwrite=overwrite)


def _order_metadata(path: Path) -> None:
    """Put the metadata of a file in order: the library writes them in one that differs from process to process."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= length:  # as it was but for the order; the rest is spaces
            file.seek(8)
            file.write(text.ljust(length))


def _tie(checkpoint: Checkpoint, path: Path) -> None:
    """Let names that the file says are tied share one array again.

    `safetensors.torch.save_model` leaves out all names of a tied tensor but one, and says in the metadata which that is
    for each of the others: they are names of it here, too.
    """
    try:
        ties = dict(read_json(checkpoint.metadata.get(TIES, "{}"), f"{path}: its list of tied tensors"))
        for alias, name in list(checkpoint.metadata.items()):
            if (
                alias not in (RECIPE, STATE, TIES, _FORMAT)
                and alias not in checkpoint.entries
                and name in checkpoint.entries
            ):
                checkpoint.entries[alias] = replace(checkpoint.entries[name])
                ties[alias] = name
                del checkpoint.metadata[alias]
        if ties:
            checkpoint.metadata[TIES] = json.dumps(ties)
        for alias, name in ties.items():
            entry, first = checkpoint.entries[alias], checkpoint.entries[name]
            if entry.data.tobytes() != first.data.tobytes() or entry.shape != first.shape:
                raise ValueError(f"{alias!r} and {name!r} differ")
            entry.data = first.data
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: its list of tied tensors does not fit its tensors ({error}).") from None
