"""Checkpoints in .pt and .pth files, read by torch with `weights_only=True`: nothing in them is executed."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.files.checkpoint import RECIPE, Checkpoint, Entry
from genewright.errors import FileError, UnsupportedError
from genewright.process_state import warnings_ignored
from genewright.storage import write_atomically

_NESTED = ("state_dict", "model_state_dict", "model")


def read_pickled(path: Path) -> Checkpoint:
    """Read a state dict, bare or under one of the usual keys beside other things.

    Raises:
        FileError: The file is missing, truncated, or holds more than tensors and plain containers.
        UnsupportedError: torch is not installed, or the file has no state dict.
    """
    torch = _torch(path)
    if not path.is_file():
        raise FileError(f"{path}: cannot be read (no such file).")
    try:
        with warnings_ignored():  # of a pickle protocol that torch does not expect: it is read or refused below
            container = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FileError(
            f"{path}: holds pickled code or objects, or is damaged; it was not executed. Save the state dict alone: "
            f"torch.save(model.state_dict(), path). ({str(error).splitlines()[0]})"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(f"{path}: is damaged or truncated ({first}). Copy or download it again.") from error
    state = _state_dict(container, path)
    entries: dict[str, Entry] = {}
    shared: dict[object, NDArray[np.uint8]] = {}
    for name, tensor in state.items():
        if isinstance(tensor, torch.Tensor):
            entries[name] = _entry(name, tensor, shared, torch)
    metadata: dict[str, str] = {}
    about = getattr(state, "_metadata", {})
    if isinstance(about, Mapping) and RECIPE in about:
        metadata[RECIPE] = str(cast(Mapping[str, Any], about)[RECIPE]["json"])
    return Checkpoint(entries, metadata, container)


def write_pickled(checkpoint: Checkpoint, path: Path, *, overwrite: bool) -> None:
    """Write the state dict back into what the file held around it, atomically; the recipe is in its `_metadata`."""
    torch = _torch(path)
    container = checkpoint.container
    old: Mapping[str, Any] = {} if container is None else _state_dict(container, path)
    state: OrderedDict[str, Any] = OrderedDict(old)
    tensors: dict[int, Any] = {}
    for name, entry in checkpoint.entries.items():
        if id(entry.data) not in tensors:
            flat = torch.from_numpy(entry.data) if entry.data.size else torch.empty(0, dtype=torch.uint8)
            tensors[id(entry.data)] = flat.view(getattr(torch, entry.dtype)).reshape(entry.shape)
        state[name] = tensors[id(entry.data)]
    about = OrderedDict(getattr(old, "_metadata", {}))
    if RECIPE in checkpoint.metadata:
        about[RECIPE] = {"json": checkpoint.metadata[RECIPE]}
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
    torch = _torch(path)
    if isinstance(container, Mapping):
        held = cast(Mapping[Any, Any], container)
        candidates: list[Any] = [held, *(held[key] for key in _NESTED if key in held)]
        for candidate in candidates:
            if isinstance(candidate, Mapping):
                values = cast(Mapping[Any, Any], candidate)
                if any(isinstance(value, torch.Tensor) for value in values.values()):
                    return cast(Mapping[str, Any], values)
        keys = f" Its keys: {', '.join(map(str, list(held)[:8]))}."
    else:
        keys = f" It holds a {type(container).__name__}."
    raise UnsupportedError(f"{path}: has no state dict, neither bare nor under {', '.join(_NESTED)}.{keys}")


def _entry(name: str, tensor: Any, shared: dict[object, NDArray[np.uint8]], torch: Any) -> Entry:
    if tensor.is_quantized or tensor.layout != torch.strided:
        raise UnsupportedError(f"{name!r} is quantised or sparse ({tensor.dtype}, {tensor.layout}).")
    key = (
        tensor.untyped_storage().data_ptr(),
        tensor.storage_offset(),
        tensor.shape,
        tensor.stride(),
        tensor.dtype,
    )
    if not tensor.numel() or key not in shared:
        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        shared[key] = flat.numpy().copy()
    return Entry(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), shared[key])


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        raise UnsupportedError(
            f"{path}: a .pt file is read by torch. Install it: pip install genewright[torch]"
        ) from None
    return torch
