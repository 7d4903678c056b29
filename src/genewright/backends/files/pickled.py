"""Checkpoints that torch saved (.pt, .pth, .ckpt, .bin, .pth.tar), read by torch with `weights_only=True`.

Nothing in them is executed.
"""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.files.archive import sizes_of
from genewright.backends.files.bounds import check_depth, check_size
from genewright.backends.files.checkpoint import RECIPE, Checkpoint, Entry
from genewright.backends.files.pickle_scan import Scan
from genewright.backends.files.unit_axes import AXES
from genewright.backends.files.values import state_of, value_of
from genewright.errors import FileError, UnsupportedError
from genewright.process_state import warnings_ignored
from genewright.storage import Overwrite, read_file, write_atomically

_GLOBAL = re.compile(r"GLOBAL (\S+)")
_NESTED = ("state_dict", "model_state_dict", "model")


def read_pickled(path: Path) -> Checkpoint:
    """Read a state dict, bare or under one of the usual keys beside other things.

    Raises:
        FileError: The file is missing, truncated, or holds more than tensors and plain containers.
        UnsupportedError: torch is not installed, or the file has no state dict.
    """
    torch = _torch(path)
    data = read_file(path)
    try:
        _check(data, str(path))
        with warnings_ignored():  # of a pickle protocol that torch does not expect: it is read or refused below
            container = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        check_depth(container, str(path))
    except _CodeError as error:
        raise FileError(
            f"{path}: holds pickled code or objects, or is damaged; it was not executed. Save the state dict alone: "
            f"torch.save(model.state_dict(), path). ({error})"
        ) from error
    except FileError:
        raise
    except pickle.UnpicklingError as error:
        raise FileError(
            f"{path}: holds pickled code or objects, or is damaged; it was not executed. Save the state dict alone: "
            f"torch.save(model.state_dict(), path). ({_named_in(error)})"
        ) from error
    except Exception as error:  # torch's reader meets damage in many ways
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(f"{path}: is damaged or truncated ({first}). Copy or download it again.") from error
    state = _state_dict(container, path)
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if not all(type(name) is str for name in tensors):
        raise FileError(f"{path}: has tensors whose names are no text.")
    # A tensor that repeats one element takes no room in the file, and all of it here.
    wanted = {place_of(tensor): tensor.numel() * tensor.element_size() for tensor in tensors.values()}
    check_size(sum(wanted.values()), len(data), str(path))
    shared: dict[object, NDArray[np.uint8]] = {}
    dense = {name: tensor for name, tensor in tensors.items() if is_dense(tensor, torch)}
    entries = {name: _entry(tensor, shared, torch) for name, tensor in dense.items()}
    others = {n: v for n, v in state.items() if n not in dense and (n in tensors or _is_of_a_layer(n))}
    states = {name: state_of(name, value, torch) for name, value in others.items()}
    metadata: dict[str, str] = {}
    about: Any = getattr(state, "_metadata", {})
    for key in (RECIPE, AXES):
        ours = cast("Mapping[str, Any]", about).get(key) if isinstance(about, Mapping) else None
        if isinstance(ours, Mapping) and isinstance(cast("Mapping[str, Any]", ours).get("json"), str):
            metadata[key] = cast("Mapping[str, Any]", ours)["json"]
    return Checkpoint(entries, metadata, container, state=states)


def _named_in(error: pickle.UnpicklingError) -> str:
    """Return which class or function torch would not load; its own text is about settings of `torch.load`."""
    found = _GLOBAL.search(str(error))
    return f"it names {found[1]}" if found else str(error).splitlines()[0]


@dataclass(frozen=True)
class Versions:
    """Versions of a module's layers, by name, as a state dict's `_metadata` has them: some are read only with those."""

    layers: dict[str, dict[str, Any]]


class _CodeError(ValueError):
    """A pickle does more than hold tensors."""


def _check(data: bytes, place: str) -> None:
    """Refuse what asks for more memory than the file's size allows, or for what lies outside it.

    Raises:
        FileError: It does.
        _CodeError: It holds more than tensors and plain containers.
    """
    scan = Scan(len(data), place)
    zipped = data[:4] == b"PK\x03\x04"
    if data and not zipped and data[:1] != b"\x80":
        raise FileError(f"{place}: is no file that torch saved: it begins with {data[:8]!r}.")
    if zipped:
        _check_archive(data, place, scan)
    else:
        stream = io.BytesIO(data)
        for _ in range(5):  # a number that says what it is, the version, the system, the objects, the storages' keys
            _walk(scan, stream)
    check_size(sum(scan.storages.values()), len(data), place)


def _check_archive(data: bytes, place: str, scan: Scan) -> None:
    if data[-22:-18] != b"PK\x05\x06" or data[-2:] != b"\0\0":
        raise FileError(f"{place}: is damaged or truncated (something follows the archive). Copy or download it again.")
    members = sizes_of(data, place)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise FileError(f"{place}: is no checkpoint of torch: it holds {len(pickles)} files data.pkl.")
    start, size = members[pickles[0]]
    _walk(scan, io.BytesIO(data[start : start + size]))
    folder = pickles[0].removesuffix("data.pkl")
    for key, wanted in scan.storages.items():
        held = members.get(f"{folder}data/{key}")
        if held is None or held[1] != wanted:
            found = "no bytes" if held is None else f"{held[1]:,} bytes"
            raise FileError(
                f"{place}: is damaged: the storage {key!r} takes {wanted:,} bytes, and the file has {found}."
            )


def _walk(scan: Scan, stream: io.BytesIO) -> None:
    try:
        scan.read(stream)
    except FileError:
        raise
    except ValueError as error:
        raise _CodeError(str(error)) from None


def write_pickled(checkpoint: Checkpoint, path: Path, *, overwrite: Overwrite) -> None:
    """Write the state dict back into what the file held around it, atomically; the recipe is in its `_metadata`."""
    torch = _torch(path)
    container = None if isinstance(checkpoint.container, Versions) else checkpoint.container
    old: Mapping[str, Any] = {} if container is None else _state_dict(container, path)
    state: OrderedDict[str, Any] = OrderedDict(old)
    tensors: dict[int, Any] = {}
    for name, entry in checkpoint.entries.items():
        if id(entry.data) not in tensors:
            flat = torch.from_numpy(entry.data) if entry.data.size else torch.empty(0, dtype=torch.uint8)
            tensors[id(entry.data)] = flat.view(getattr(torch, entry.dtype)).reshape(entry.shape)
        state[name] = tensors[id(entry.data)]
    for name, held in checkpoint.state.items():
        if name not in state:
            if held.data is None:
                raise FileError(f"{path}: {name!r} holds objects of Python. Save it with torch.save yourself.")
            state[name] = value_of(held.data, torch, f"{path}: {name!r}")
    about = OrderedDict(getattr(old, "_metadata", {}))
    if isinstance(checkpoint.container, Versions):
        about.update(checkpoint.container.layers)
    for key in (RECIPE, AXES):
        if key in checkpoint.metadata:
            about[key] = {"json": checkpoint.metadata[key]}
    state._metadata = about  # type: ignore[attr-defined]  # where torch keeps versions of modules
    whole: Any = state
    if container is not None and old is not container:
        key = next(k for k in _NESTED if container.get(k) is old)
        whole = {**container, key: state}

    def write(temporary: Path) -> None:
        try:
            torch.save(whole, temporary)
        except RuntimeError as error:  # torch's word for a full disk
            raise OSError(str(error).splitlines()[0]) from error

    write_atomically(path, write, overwrite=overwrite)


def _state_dict(container: Any, path: Path) -> Mapping[str, Any]:
    found = state_dict_in(container, _torch(path))
    if found is not None:
        return found
    if isinstance(container, Mapping):
        held = cast(Mapping[Any, Any], container)
        keys = f" Its keys: {', '.join(map(str, list(held)[:8]))}."
    else:
        keys = f" It holds a {type(container).__name__}."
    raise UnsupportedError(f"{path}: has no state dict, neither bare nor under {', '.join(_NESTED)}.{keys}")


def state_dict_in(container: Any, torch: Any) -> dict[str, Any] | None:
    """Return the state dict that a checkpoint's tree is or holds; None where there is none."""
    if not isinstance(container, Mapping):
        return None
    held = cast(Mapping[Any, Any], container)
    candidates: list[Any] = [held, *(held[key] for key in _NESTED if key in held)]
    for candidate in candidates:
        if isinstance(candidate, Mapping):
            values = cast(Mapping[Any, Any], candidate)
            if any(isinstance(value, torch.Tensor) for value in values.values()):
                return cast("dict[str, Any]", values)
    return None


def is_dense(tensor: Any, torch: Any) -> bool:
    """Whether a tensor is plain numbers in memory."""
    return not tensor.is_quantized and tensor.layout == torch.strided and not tensor.is_meta


def _is_of_a_layer(name: Any) -> bool:
    """Whether an entry that is no tensor belongs to a model; what a trainer notes beside the tensors does not."""
    return isinstance(name, str) and ("." in name or name == "_extra_state")


def _entry(tensor: Any, shared: dict[object, NDArray[np.uint8]], torch: Any) -> Entry:
    key = place_of(tensor)
    if not tensor.numel() or key not in shared:
        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        shared[key] = flat.numpy().copy()
    return Entry(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), shared[key])


def place_of(tensor: Any) -> object:
    """Return what tensors have in common that are one; those without memory of their own have nothing."""
    if tensor.layout.__str__() != "torch.strided" or tensor.is_meta:
        return id(tensor)
    storage = tensor.untyped_storage().data_ptr()
    return storage, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        raise UnsupportedError(
            f"{path}: a .pt file is read by torch. Install it: pip install genewright[torch]"
        ) from None
    return torch
