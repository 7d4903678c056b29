"""Along which axis the units of a file's kernels lie. A file has no classes: evidence decides, or nothing does.

| layer | its kernel | what tells it from others |
|---|---|---|
| linear, convolution | (out, in, *window) | usual in torch |
| transformers' Conv1D | (in, out) | its bias has `out` entries; c_attn, q_attn, c_proj and c_fc are of one class |
| transposed convolution | (in, out, *window) | its bias, or the norm right behind it, has `out` entries |
| Keras: dense, convolution | (*window, in, out) | usual there |
| Keras: transposed | (*window, out, in) | its class, where the file names it, or its bias |

Where both axes are as long, or nothing stands beside the kernel, it is taken for the usual one, unless there is a sign
of the other: a window of even lengths, as transposed convolutions have, a name like "up", or another kernel in the file
that is a transposed convolution's. Then the axis is in doubt, and whoever asks for units there is refused, until
somebody says it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from genewright.backends.files.bounds import read_json
from genewright.backends.files.keras_layout import lays_out
from genewright.errors import FileError, SettingError
from genewright.names import did_you_mean, matches
from genewright.tensor import Tensor, role_of_name

AXES = "genewright.unit_axes"
"""The entry of a file's metadata that says it: a JSON object from names of tensors to axes, null for no single one."""

_CONV1D = ("c_attn", "q_attn", "c_proj", "c_fc")
_FACTOR = re.compile(r"(?P<layer>.*?)\.?(?:parametrizations\.weight\.(?:original[01]?)|weight_(?:v|g|orig))")
_LIKE_TRANSPOSED = re.compile(
    r"(up|ups|upconv|upsample|upsampling|upscale|deconv|conv_?t|conv_?trans\w*|transposed?\w*)\d*"
)
_WIDEST = 16  # longer than a window
_USUAL_LAYERS = ("patch", "expert")  # tiles of images, stacks of matrices: even sizes are no sign


class _Entry(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def about(self) -> Tensor | None: ...


@dataclass(frozen=True)
class UnitAxis:
    """What is known of a kernel.

    Attributes:
        axis: The axis of its units, or None where that is in doubt or there is no single one.
        inputs: The axis of the inputs of a unit, or None.
        doubt: Why `axis` is None, in words that follow "where: ".
    """

    axis: int | None
    inputs: int | None = None
    doubt: str = ""


@dataclass(frozen=True)
class _Kernel:
    name: str
    layer: str
    shape: tuple[int, ...]
    usual: int
    other: int

    def along(self, axis: int) -> UnitAxis:
        """Return what is known where units lie along one axis."""
        return UnitAxis(axis, {self.usual: self.other, self.other: self.usual}.get(axis))

    @property
    def window(self) -> tuple[int, ...]:
        return tuple(size for axis, size in enumerate(self.shape) if axis not in (self.usual, self.other))


def unit_axes_of(entries: Mapping[str, _Entry], metadata: Mapping[str, str]) -> dict[str, UnitAxis]:
    """Return what is known of the kernels of a checkpoint that are not, or may not be, of the usual layout.

    Args:
        entries: Its tensors by name.
        metadata: Its metadata, in which the axes may stand.
    """
    told: dict[str, int | None] = json.loads(metadata[AXES]) if AXES in metadata else {}
    kernels = list(_kernels(entries))
    decided = {kernel.name: axis for kernel in kernels if (axis := _by_count(kernel, entries)) is not None}
    conv1d = {decided[k.name] for k in kernels if k.name in decided and _is_conv1d(k)}
    turned = any(decided.get(k.name, k.usual) != k.usual and k.window for k in kernels)
    found: dict[str, UnitAxis] = {}
    for kernel in kernels:
        axis = told.get(kernel.name, decided.get(kernel.name))
        if axis is None and kernel.name not in told:
            axis, doubt = _undecided(kernel, entries, conv1d, turned=turned)
            if doubt:
                found[kernel.name] = UnitAxis(None, doubt=doubt)
        if axis is not None and axis != kernel.usual:
            found[kernel.name] = kernel.along(axis)
    known = {kernel.name for kernel in kernels}
    for name, axis in told.items():
        if axis is None:
            found[name] = UnitAxis(None, doubt=f"no axis of {name!r} is that of its layer's units")
        elif name not in known:
            found[name] = UnitAxis(axis)
    return found


def _kernels(entries: Mapping[str, _Entry]) -> Iterator[_Kernel]:
    for name, entry in entries.items():
        rank = len(entry.shape)
        if rank < 2:
            continue
        layer, _, last = name.rpartition(".")
        if entry.about is not None:
            about = entry.about
            if about.role == "kernel" and rank > 2 and last == "kernel" and not lays_out(about.layer_type, layer):
                yield _Kernel(name, layer, entry.shape, rank - 1, rank - 2)
            continue
        if matched := _FACTOR.fullmatch(name):
            yield _Kernel(name, matched["layer"], entry.shape, 0, 1)
        elif role_of_name(name, entry.shape) in ("kernel", "embedding") and last in ("weight", "kernel"):
            usual, other = (rank - 1, rank - 2) if last == "kernel" else (0, 1)
            if last == "weight" or not lays_out("", layer):
                yield _Kernel(name, layer, entry.shape, usual, other)


def _by_count(kernel: _Kernel, entries: Mapping[str, _Entry]) -> int | None:
    """Return the only axis that is as long as the layer's bias, or as the norm right behind it."""
    beside = entries.get(f"{kernel.layer}.bias".lstrip(".")) or _norm_behind(kernel, entries)
    if beside is None or len(beside.shape) != 1:
        return None
    fitting = [axis for axis in (kernel.usual, kernel.other) if kernel.shape[axis] == beside.shape[0]]
    return fitting[0] if len(fitting) == 1 else None


def _norm_behind(kernel: _Kernel, entries: Mapping[str, _Entry]) -> _Entry | None:
    """Return the statistics or gains of the norm that follows a convolution in a numbered list."""
    around, _, number = kernel.layer.rpartition(".")
    if len(kernel.shape) < 3 or not number.isdigit():
        return None
    behind = f"{around}.{int(number) + 1}".lstrip(".")
    return entries.get(f"{behind}.running_mean") or entries.get(f"{behind}.weight")


def _is_conv1d(kernel: _Kernel) -> bool:
    return len(kernel.shape) == 2 and kernel.layer.rpartition(".")[2] in _CONV1D


def _undecided(
    kernel: _Kernel, entries: Mapping[str, _Entry], conv1d: set[int], *, turned: bool
) -> tuple[int | None, str]:
    """Return the axis of a kernel whose size tells nothing, or why it is in doubt."""
    shape = f"its kernel {kernel.name!r} is {kernel.shape}, and the file does not say which"
    bias = entries.get(f"{kernel.layer}.bias".lstrip("."))
    if _is_conv1d(kernel) and bias is not None:  # transformers' always has one
        if len(conv1d) == 1:
            return next(iter(conv1d)), ""
        return None, f"{kernel.layer!r} may be linear (out, in) or transformers' Conv1D (in, out): {shape}"
    window = kernel.window
    if not window:
        return kernel.usual, ""
    parts = [part for part in kernel.layer.split(".") if not part.isdigit()]
    grouped = bias is not None and len(bias.shape) == 1 and bias.shape[0] not in kernel.shape[:2] and kernel.usual == 0
    even = any(size % 2 == 0 and size <= _WIDEST for size in window)
    if bias is not None and len(bias.shape) > 1:
        return kernel.usual, ""  # of Keras's EinsumDense: no convolution
    named = bool(parts) and _LIKE_TRANSPOSED.fullmatch(parts[-1].lower()) is not None
    usual = any(word in kernel.layer.lower() for word in _USUAL_LAYERS)
    if grouped or named or turned or (even and not usual):
        plain, other = "(out, in, ...)", "(in, out, ...)"
        if kernel.usual:
            plain, other = "(..., in, out)", "(..., out, in)"
        return None, f"{kernel.layer!r} may be a convolution {plain} or a transposed one {other}: {shape}"
    return kernel.usual, ""


def with_told_axes(
    entries: Mapping[str, _Entry], metadata: Mapping[str, str], told: Mapping[str, int | None]
) -> dict[str, str]:
    """Return a checkpoint's metadata with what somebody says of its kernels.

    Args:
        entries: Its tensors by name.
        metadata: Its metadata as they are.
        told: Axes by patterns on names of tensors; a later pattern goes over an earlier one.

    Raises:
        SettingError: A pattern matches no kernel, or an axis is none of a kernel that is named in full.
    """
    said: dict[str, int | None] = json.loads(metadata.get(AXES, "{}"))
    kernels = [name for name, entry in entries.items() if len(entry.shape) > 1]
    for pattern, axis in told.items():
        matching = [name for name in kernels if matches(pattern, name)]
        if not matching:
            raise SettingError(f"unit_axes: no kernel is called {pattern!r}. {did_you_mean(pattern, kernels)}")
        for name in matching:
            if axis is not None and not (type(axis) is int and 0 <= axis < len(entries[name].shape)):
                shape = entries[name].shape
                raise SettingError(
                    f"unit_axes: {name!r} of shape {shape} has no axis {axis!r}. Write 0 to {len(shape) - 1}."
                )
            said[name] = axis
    return {**metadata, AXES: json.dumps(said)}


def checked_axes(entries: Mapping[str, _Entry], metadata: Mapping[str, str], place: str) -> None:
    """Refuse a file whose record does not fit its tensors.

    Raises:
        FileError: It does not.
    """
    if AXES not in metadata:
        return
    said = read_json(metadata[AXES], f"{place}: its list of axes")
    fits = isinstance(said, dict) and all(
        name not in entries or axis is None or (type(axis) is int and 0 <= axis < len(entries[name].shape))
        for name, axis in cast("dict[str, Any]", said).items()
    )
    if not fits:
        raise FileError(f"{place}: its list of axes does not fit its tensors.")
