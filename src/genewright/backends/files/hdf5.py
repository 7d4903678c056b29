"""Keras's HDF5 files (.weights.h5, and whole models or weights in legacy .h5) as checkpoints, without Keras."""

from __future__ import annotations

import contextlib
import importlib
import io
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.files.bounds import check_size, read_json
from genewright.backends.files.checkpoint import RECIPE, TIES, Checkpoint, Entry
from genewright.backends.files.keras_config import LayerConfigs, refuse_code
from genewright.backends.files.keras_layout import (
    fans_of,
    file_class,
    group_class,
    input_axis_of,
    is_composite,
    is_trained,
    role_of,
    unit_axis_of,
    variable_names,
)
from genewright.backends.files.unit_axes import AXES
from genewright.errors import FileError
from genewright.storage import Overwrite, read_file, write_atomically
from genewright.tensor import FLOATS, Tensor

_METADATA = (RECIPE, TIES, AXES)
_FILTERS = (1, 2, 3)  # deflate, shuffle, checksum: built in; of any other, HDF5 would load a library
_KINDS = "biufc"
_MOST_LEVELS = 100


@dataclass
class Hdf5Container:
    """What a file held beside its tensors: the file itself, and where in it each tensor lies."""

    data: bytes
    places: dict[str, str]


def read_hdf5(path: Path) -> Checkpoint:
    """Read a file whole; nothing in it is executed.

    Raises:
        FileError: It is missing, truncated, hostile (links to other files, code), or holds no weights of Keras.
    """
    return checkpoint_of_hdf5(read_file(path), str(path), None)


def checkpoint_of_hdf5(data: bytes, place: str, configs: LayerConfigs | None) -> Checkpoint:
    """Return the tensors of a file's bytes.

    Args:
        data: The file.
        place: What to call it in messages.
        configs: What is known of the layers.

    Raises:
        FileError: It is damaged or hostile, or holds no weights of Keras.
    """
    entries: dict[str, Entry] = {}
    places: dict[str, str] = {}
    metadata: dict[str, str] = {}
    with opened(data, place) as file:
        legacy = file if "layer_names" in file.attrs else None
        if _holds(file, "model_weights"):
            legacy = _group(file, "model_weights")
        text = file.attrs.get("model_config")
        if text is not None:
            config = read_json(text, f"{place}: its model_config", held=len(data))
            refuse_code(config, place)
            configs = LayerConfigs(config)
        reading = _Reading(configs or LayerConfigs({}), len(data), place)
        found = reading.legacy(legacy) if legacy is not None else reading.numbered(file, "", "")
        for layer, kind, names, datasets in found:
            for name, dataset in zip(names, datasets, strict=True):
                full = f"{layer}.{name}" if layer else name
                if full in entries:
                    raise FileError(f"{place}: two tensors are called {full!r}.")
                entries[full] = _entry(dataset, full, layer, name, reading.configs.class_of(layer) or kind)
                places[full] = dataset.name
        for key in _METADATA:
            if _holds(file, key):
                metadata[key] = bytes(_read(reading.dataset(file, key))).decode()
    if not entries:
        raise FileError(f"{place}: holds no weights that Keras wrote.")
    return Checkpoint(entries, metadata, Hdf5Container(data, places))


def write_hdf5(checkpoint: Checkpoint, path: Path, *, overwrite: Overwrite) -> None:
    """Write the file that a checkpoint was read from, with its tensors and metadata as they are now.

    Raises:
        FileError: The checkpoint comes from another kind of file; the file exists and `overwrite` is false, or it
            cannot be written.
    """
    if not isinstance(checkpoint.container, Hdf5Container):
        raise FileError(f"{path}: only a checkpoint that was read from an .h5 file can be written as one.")
    write_atomically(path, [patched(checkpoint, checkpoint.container)], overwrite=overwrite)


def patched(checkpoint: Checkpoint, container: Hdf5Container) -> bytes:
    """Return the file of a container with the tensors and metadata of a checkpoint."""
    buffer = io.BytesIO(container.data)
    with _library().File(buffer, "r+") as file:
        for name, place in container.places.items():
            dataset = file[place]
            value: NDArray[Any] = np.frombuffer(checkpoint.entries[name].data.tobytes(), dataset.dtype)
            dataset[...] = value.reshape(dataset.shape)
        for key in _METADATA:
            put_text(file, key, checkpoint.metadata.get(key))
    return buffer.getvalue()


def put_text(file: Any, key: str, text: str | None) -> None:
    """Leave text in an open HDF5 file, under a name that Keras does not look at; None takes it out."""
    if key in file:
        del file[key]
    if text is not None:
        file.create_dataset(key, data=np.frombuffer(text.encode(), np.uint8))


@contextlib.contextmanager
def opened(data: bytes, place: str) -> Generator[Any]:
    """Open a file's bytes; what goes wrong inside is a `FileError` that names the file.

    Raises:
        FileError: The bytes are damaged or hostile.
    """
    library = _library()
    try:
        with library.File(io.BytesIO(data), "r") as file:
            yield file
    except FileError:
        raise
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError, ArithmeticError) as error:
        hint = " It may be truncated: copy it again." if data else " It is empty."
        raise FileError(
            f"{place}: is not a whole HDF5 file of Keras ({' '.join(str(error).split())}).{hint}"
        ) from error


def _library() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError:
        raise FileError("HDF5 files of Keras need the package h5py: pip install h5py") from None


_Layer = tuple[str, str, list[str], list[Any]]  # name, class, variables' names, datasets


@dataclass
class _Reading:
    """One file, read with a budget: nothing twice, nothing larger than the file allows, nothing outside it.

    Attributes:
        configs: What is known of the layers.
        size: The file's size.
        place: What to call the file in messages.
        seen: Addresses of the groups that have been met. A group under two names could hold itself.
        wanted: The bytes that its tensors take so far.
    """

    configs: LayerConfigs
    size: int
    place: str
    seen: set[Any] = field(default_factory=set[Any])
    wanted: int = 0

    def numbered(self, group: Any, path: str, kind: str, level: int = 0) -> Iterator[_Layer]:
        """Yield the layers of a file as Keras 3 writes it: groups by class, variables by number."""
        self._enter(group, level)
        if _holds(group, "vars"):
            variables = _group(group, "vars")
            datasets = [self.dataset(variables, key) for key in sorted(variables, key=lambda k: (len(k), k))]
            if datasets:
                named = self.configs.class_of(path)
                shapes = [tuple(dataset.shape) for dataset in datasets]
                names = variable_names(file_class(named) if named else kind, self.configs.config_of(path), shapes)
                yield path, kind, names, datasets
        for key in group:
            if key == "vars" or (not path and key in ("optimizer", *_METADATA)):
                continue
            if _holds(group, key) and not isinstance(group[key], _library().Group):
                continue
            child = _group(group, key)
            if key == "layers":
                self._enter(child, level)
                for member in child:
                    inner = _group(child, member)
                    name = _own_name(inner) or member
                    yield from self.numbered(inner, f"{path}.{name}" if path else name, group_class(member), level + 1)
            else:
                inside = is_composite(kind)
                name = (_own_name(child) if inside else None) or key.removeprefix("_")
                # what a layer of Keras's own holds is called by an attribute, not by its class
                inner_kind = kind if inside else group_class(key)
                yield from self.numbered(child, f"{path}.{name}" if path else name, inner_kind, level + 1)

    def legacy(self, group: Any) -> Iterator[_Layer]:
        """Yield the layers of a legacy file: a group a layer, variables under their paths."""
        for key in _texts(group, "layer_names"):
            holder = _group(group, key)
            self._enter(holder, 0)
            layers: dict[str, tuple[list[str], list[Any]]] = {}
            for weight in _texts(holder, "weight_names"):
                *above, name = weight.split(":", 1)[0].split("/")
                # Keras 2 leaves the layer's own name out; a Sequential model of Keras 3 puts its own before it.
                above = above[above.index(key) :] if key in above else [key, *above]
                names, datasets = layers.setdefault(".".join(above), ([], []))
                names.append(name)
                datasets.append(self.dataset(holder, weight))
            for layer, (names, datasets) in layers.items():
                yield layer, "", names, datasets

    def dataset(self, parent: Any, key: str) -> Any:
        """Return a dataset whose elements lie in this file, and are numbers, and no more than it can hold."""
        found = _hard(parent, key)
        if not isinstance(found, _library().Dataset):
            raise ValueError(f"{key!r} is no dataset")  # noqa: TRY004  # of a file, not of a type
        if found.external or found.is_virtual:
            raise ValueError(f"{key!r} reads from another file; that is not allowed")
        if found.shape is None or (found.dtype.kind not in _KINDS and not _is_bfloat16(found.dtype)):
            raise ValueError(f"{key!r} holds elements of type {found.dtype}, no numbers")
        plan = found.id.get_create_plist()
        if any(plan.get_filter(place)[0] not in _FILTERS for place in range(plan.get_nfilters())):
            raise ValueError(f"{key!r} is packed by a filter that is not built in")
        for shape in filter(None, (found.shape, found.chunks)):  # HDF5 makes room for a whole chunk
            check_size(math.prod(shape) * found.dtype.itemsize, self.size, f"{self.place}: {key!r}")
        self.wanted += math.prod(found.shape) * found.dtype.itemsize
        check_size(self.wanted, self.size, f"{self.place}: {key!r}")
        return found

    def _enter(self, group: Any, level: int) -> None:
        if level > _MOST_LEVELS:
            raise ValueError(f"more than {_MOST_LEVELS} groups lie in each other")
        about = _library().h5o.get_info(group.id)
        if (about.fileno, about.addr) in self.seen:
            raise ValueError(f"the group {group.name!r} has two names")
        self.seen.add((about.fileno, about.addr))


def _texts(group: Any, attribute: str) -> list[str]:
    """Return a list of names that Keras keeps in attributes, in parts where it is long."""
    whole = group.attrs.get(attribute)
    parts = [whole] if whole is not None else []
    while whole is None and f"{attribute}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{attribute}{len(parts)}"])
    return [text.decode() if isinstance(text, bytes) else str(text) for part in parts for text in part]


def _own_name(group: Any) -> str | None:
    name = group["vars"].attrs.get("name") if _holds(group, "vars") else None
    return None if name is None else str(name)


def _group(parent: Any, key: str) -> Any:
    found = _hard(parent, key)
    if not isinstance(found, _library().Group):
        raise ValueError(f"{key!r} is no group")  # noqa: TRY004  # of a file, not of a type
    return found


def _holds(parent: Any, key: str) -> bool:
    """Whether a group has a member of this name itself; the name of a link is not followed to see."""
    return isinstance(parent.get(key, getlink=True, default=None), _library().HardLink)


def _is_bfloat16(dtype: Any) -> bool:
    return dtype.kind == "V" and dtype.itemsize == 2 and dtype.fields is None and dtype.subdtype is None


def _hard(parent: Any, key: str) -> Any:
    """Follow a path of hard links only: soft and external ones can lead anywhere."""
    for part in key.split("/"):
        link = parent.get(part, getlink=True)
        if not isinstance(link, _library().HardLink):
            raise ValueError(f"{key!r} is missing or a link; links are not allowed")  # noqa: TRY004  # as above
        parent = parent[part]
    return parent


def _read(dataset: Any) -> NDArray[np.uint8]:
    array = cast("NDArray[Any]", np.empty(dataset.shape, dataset.dtype))
    if array.size:
        dataset.read_direct(array)
    return cast("NDArray[np.uint8]", array.reshape(-1).view(np.uint8))


def _entry(dataset: Any, full: str, layer: str, name: str, kind: str) -> Entry:
    stored = dataset.attrs.get("dtype")
    dtype = "bfloat16" if stored == "bfloat16" or dataset.dtype.kind == "V" else str(np.dtype(dataset.dtype).name)
    shape = tuple(int(size) for size in dataset.shape)
    trained = is_trained(name) and dtype in FLOATS
    role = role_of(name, shape, is_parameter=trained)
    fan_in, fan_out = fans_of(shape) if role in ("kernel", "recurrent_kernel", "embedding") else (None, None)
    data = _read(dataset)
    unit_axis = unit_axis_of((kind,), name, role, shape)
    about = Tensor(
        name=full,
        shape=shape,
        dtype=dtype,
        role=role,
        layer=layer,
        layer_type=kind,
        trainable=trained,
        unit_axis=unit_axis,
        input_axis=input_axis_of(role, unit_axis, shape),
        fan_in=fan_in,
        fan_out=fan_out,
        nbytes=data.nbytes,
    )
    return Entry(dtype, shape, data, about)


def metadata_of(mapping: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of a JSON object that are ours."""
    return {key: cast(str, mapping[key]) for key in _METADATA if isinstance(mapping.get(key), str)}
