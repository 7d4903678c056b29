"""State of a torch module as bytes: plain data, and tensors of every layout, without pickled code.

A value is JSON in which each tensor's elements are a place in what follows: the length of the JSON in 8 bytes, the
JSON, the elements of all tensors one behind the other. Equal values have equal bytes.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any, cast

import blake3
import numpy as np

from genewright.backends.files.bounds import read_json
from genewright.errors import FileError
from genewright.state import State


class Writer:
    """Turns a value into bytes.

    Attributes:
        plain: Whether files can hold it.
        size: Number of elements of all tensors so far.
    """

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._parts: list[bytes] = []
        self._at = 0
        self.plain = True
        self.size = 0

    def data(self, value: Any) -> bytes:
        """Return the bytes of a value."""
        text = json.dumps(self._form(value), separators=(",", ":")).encode()
        return b"".join((len(text).to_bytes(8, "little"), text, *self._parts))

    def _form(self, value: Any) -> Any:
        torch = self._torch
        if value is None or isinstance(value, bool | int | str):
            return {"=": value}
        if isinstance(value, float):
            return {"float": value.hex()}
        if isinstance(value, torch.Tensor):
            return self._tensor(value.detach())
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if type(value) is bytes:
            return {"bytes": self._put(value)}
        if type(value) in (list, tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self._form(entry) for entry in cast("list[Any]", value)]}
        if isinstance(value, Mapping):
            held = dict(cast("Mapping[Any, Any]", value))
            if all(type(key) is str for key in held):
                return {"dict": [[key, self._form(entry)] for key, entry in held.items()]}
        self.plain = False
        cls = type(cast("object", value))
        kind = f"{cls.__module__}.{cls.__qualname__}"
        try:
            return {"object": kind, "bytes": self._put(pickle.dumps(value, protocol=4))}
        except Exception:  # what cannot be pickled is told apart by its class alone
            return {"object": kind}

    def _tensor(self, tensor: Any) -> Any:
        torch = self._torch
        if tensor.is_quantized:
            form = {"quantized": str(tensor.dtype).removeprefix("torch."), "values": self._tensor(tensor.int_repr())}
            if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
                return {**form, "scale": tensor.q_scale().hex(), "zero": tensor.q_zero_point()}
            scales = self._tensor(tensor.q_per_channel_scales()), self._tensor(tensor.q_per_channel_zero_points())
            return {**form, "scales": scales[0], "zeros": scales[1], "axis": tensor.q_per_channel_axis()}
        if tensor.layout == torch.sparse_coo:
            held = tensor.coalesce()
            return {
                "coo": list(tensor.shape),
                "indices": self._tensor(held.indices()),
                "values": self._tensor(held.values()),
            }
        if tensor.layout != torch.strided:
            rows = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
            ends, places = (
                (tensor.crow_indices(), tensor.col_indices()) if rows else (tensor.ccol_indices(), tensor.row_indices())
            )
            return {
                "sparse": str(tensor.layout).removeprefix("torch."), "shape": list(tensor.shape),
                "ends": self._tensor(ends), "places": self._tensor(places), "values": self._tensor(tensor.values()),
            }  # fmt: skip
        self.size += tensor.numel()
        flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
        return {
            "tensor": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
            "bytes": self._put(flat.numpy().tobytes()),
        }  # fmt: skip

    def _put(self, data: bytes) -> list[int]:
        self._parts.append(data)
        self._at += len(data)
        return [self._at - len(data), self._at]


def state_of(name: str, value: Any, torch: Any, **about: Any) -> State:
    """Return a piece of state; a dense tensor counts in fingerprints as any other tensor does."""
    writer = Writer(torch)
    data = writer.data(value)
    counted = b"state " + blake3.blake3(data).digest()
    if isinstance(value, torch.Tensor) and not value.is_quantized and value.layout == torch.strided:
        flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy()
        dtype = str(value.dtype).removeprefix("torch.")
        counted = f"{dtype} {','.join(map(str, value.shape))} ".encode() + blake3.blake3(flat.data).digest()
    about = {"layer": name.rpartition(".")[0], "what": "state", **about}
    return State(name=name, size=writer.size, about=counted, data=data if writer.plain else None, **about)


def value_of(data: bytes, torch: Any, place: str) -> Any:
    """Return the value that bytes hold.

    Raises:
        FileError: They are damaged.
    """
    length = int.from_bytes(data[:8], "little")
    form = read_json(data[8 : 8 + length], place, held=len(data))
    try:
        return _value(form, data[8 + length :], torch)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
        raise FileError(f"{place}: is damaged ({error}).") from None


def _value(form: dict[str, Any], held: bytes, torch: Any) -> Any:
    def tensor(key: str) -> Any:
        return _value(form[key], held, torch)

    if "=" in form:
        return form["="]
    if "float" in form:
        return float.fromhex(form["float"])
    if "dtype" in form:
        return _dtype(form["dtype"], torch)
    if "list" in form or "tuple" in form:
        entries = [_value(entry, held, torch) for entry in form["list" if "list" in form else "tuple"]]
        return entries if "list" in form else tuple(entries)
    if "dict" in form:
        return {key: _value(entry, held, torch) for key, entry in form["dict"]}
    if "tensor" in form:
        dtype, shape = _dtype(form["tensor"], torch), tuple(form["shape"])
        flat = np.frombuffer(held[slice(*form["bytes"])], np.uint8)
        return torch.from_numpy(flat.copy()).view(dtype).reshape(shape)
    if "bytes" in form:
        return held[slice(*form["bytes"])]
    if "scale" in form:
        return torch._make_per_tensor_quantized_tensor(tensor("values"), float.fromhex(form["scale"]), form["zero"])
    if "scales" in form:
        scales = tensor("scales"), tensor("zeros")
        return torch._make_per_channel_quantized_tensor(tensor("values"), *scales, form["axis"])
    if "coo" in form:
        return torch.sparse_coo_tensor(
            tensor("indices"), tensor("values"), form["coo"], is_coalesced=True, check_invariants=True
        )
    layout = getattr(torch, form["sparse"])
    return torch.sparse_compressed_tensor(
        tensor("ends"), tensor("places"), tensor("values"), form["shape"], layout=layout, check_invariants=True
    )


def _dtype(name: str, torch: Any) -> Any:
    known = [key for key in dir(torch) if isinstance(getattr(torch, key), torch.dtype)]
    return getattr(torch, known[known.index(name)])
