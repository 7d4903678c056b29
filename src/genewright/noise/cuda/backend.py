# pyright: basic, reportMissingImports=false
# torch and triton are optional and may be absent where the types are checked.
"""`apply` for torch tensors on a CUDA device."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
import torch
import triton.language as tl

from genewright.errors import SettingError, UnsupportedError
from genewright.noise.binomial import BLOCK, thresholds
from genewright.noise.change import Change
from genewright.noise.cuda.kernel import kernel
from genewright.noise.distributions import FRACTION_BITS
from genewright.noise.engine import mask
from genewright.noise.key import Stream
from genewright.noise.lognormal import multiplier
from genewright.noise.tables import table
from genewright.noise.words import Purpose

DTYPES: Final = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}
SIGNED: Final = {2: torch.int16, 4: torch.int32, 8: torch.int64}
UNSIGNED: Final = {2: tl.uint16, 4: tl.uint32, 8: tl.uint64}
_KERNEL: Any = kernel
PROGRAMS: Final = 1056
"""Programs that take turns on the blocks of a mask, and so the scratch tables of 16 KB that there are."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceUndo:
    """A journal of old values on the device, all taken before the change: sparse where few are hit, else a copy.

    What brings them back is queued behind the kernel that changes the tensor, so the host may ask for it at any time.
    """

    places: torch.Tensor | None
    old: torch.Tensor

    def restore(self, values: torch.Tensor) -> None:
        """Write every old byte back into the tensor that was changed; it may be called any number of times."""
        if self.places is None:
            values.view(self.old.dtype).copy_(self.old)
        else:
            values.view(self.old.dtype)[self.places] = self.old

    @property
    def nbytes(self) -> int:
        """The device memory that the journal holds, in bytes."""
        places = 0 if self.places is None else self.places.numel() * self.places.element_size()
        return places + self.old.numel() * self.old.element_size()


def apply(
    values: torch.Tensor,
    change: Change,
    stream: Stream,
    *,
    start: int = 0,
    size: int | None = None,
    journal: Callable[[DeviceUndo], object] | None = None,
) -> None:
    """Change the elements [start, start + len(values)) of a tensor, in place, on its device.

    Args:
        values: A contiguous tensor of one dimension on a CUDA device (on the CPU under Triton's interpreter).
        change: What happens to each hit element.
        stream: From `derive`.
        start: The index, in the full tensor, of the first value.
        size: The number of elements of the full tensor; start + len(values) by default.
        journal: Called with the `DeviceUndo` before anything changes. Its positions are drawn on the CPU.

    Raises:
        UnsupportedError: If the tensor's dtype is none of the four.
        SettingError: If its layout or a setting does not fit. Nothing has changed then.
    """
    number = values.numel()
    if values.dtype not in DTYPES:
        raise UnsupportedError(f"values must be one of {', '.join(DTYPES.values())}, got {values.dtype}")
    if values.ndim != 1 or not values.is_contiguous():
        raise SettingError(f"values must be contiguous and of one dimension, got {tuple(values.shape)}")
    if not 0 <= start <= start + number <= (start + number if size is None else size):
        raise SettingError(f"elements [{start}, {start + number}) are not inside a tensor of {size} elements")
    patterns = values.detach().view(SIGNED[values.element_size()])
    if journal is not None:
        journal(_undo(patterns, change, stream, start))
    if number and not change.idle:
        _launch(patterns, change, stream, DTYPES[values.dtype], start)


def _undo(patterns: torch.Tensor, change: Change, stream: Stream, start: int) -> DeviceUndo:
    number, item = patterns.numel(), patterns.element_size()
    if change.idle:
        return DeviceUndo(torch.empty(0, dtype=torch.int64, device=patterns.device), patterns[:0].clone())
    if change.rate * (8 + item) >= item:
        return DeviceUndo(None, patterns.clone())
    hit = mask(stream, change.rate, start + number, start=start) - start
    places = torch.from_numpy(hit).to(patterns.device)
    return DeviceUndo(places, patterns[places])


def _launch(patterns: torch.Tensor, change: Change, stream: Stream, dtype: str, start: int) -> None:
    if change.combine == "replace" and change.scale == 0:
        change = replace(change, distribution="constant", scale=0.0)
    flipping = change.combine in ("negate", "xor")
    width = 8 * patterns.element_size()
    bits = (width - 1,) if change.combine == "negate" else change.bits
    flips = np.array([1 << bit for bit in bits] or [0], np.uint64).astype(f"u{width // 8}")
    masked = change.rate < 1
    first, last = start // BLOCK, -(-(start + patterns.numel()) // BLOCK)
    below, quantiles = thresholds(min(change.rate, 1 - change.rate)) if masked else (0, np.zeros(1, np.uint64))
    computing = np.float64 if dtype == "float64" else np.float32
    unit = computing(change.scale * 2.0 ** -FRACTION_BITS.get(change.distribution, 0))
    distribution = "constant" if flipping else change.distribution
    stochastic = change.rounding == "stochastic" and width == 16 and not flipping
    upper = [
        stream.tweak >> 32 | int(purpose) << 24
        for purpose in (Purpose.NOISE, Purpose.BIT if flipping else Purpose.ROUND, Purpose.COUNT, Purpose.POSITION)
    ]
    words = np.array([stream.key & 0xFFFFFFFF, stream.key >> 32, stream.tweak & 0xFFFFFFFF, *upper], np.uint32)
    device = patterns.device
    programs = min(last - first, PROGRAMS) if masked else last - first
    _KERNEL[programs,](
        patterns,
        patterns.numel(),
        start,
        first,
        last - first,
        _on_device(words, device),
        _on_device(np.array([unit], np.float64), device),
        _on_device(np.array(multiplier(abs(change.scale)), np.uint64), device),
        _table(distribution, device),
        _table("exp2", device),
        _on_device(flips, device),
        _on_device(quantiles, device),
        below,
        len(quantiles),
        torch.empty(programs * BLOCK if masked else 1, dtype=torch.int32, device=device),
        combine="flip" if flipping else change.combine,
        distribution=distribution,
        dtype=dtype,
        randomly=stochastic,
        choices=len(flips),
        unsigned=UNSIGNED[width // 8],
        masked=masked,
        complement=change.rate > 0.5,
        group=8 if min(change.rate, 1 - change.rate) < 0.01 else 128,
        enable_fp_fusion=False,
    )


def _on_device(array: np.ndarray[Any, Any], device: torch.device) -> torch.Tensor:
    signed = array if array.dtype.kind == "f" else array.view(array.dtype.str.replace("u", "i"))
    return torch.from_numpy(np.array(signed)).to(device)


@cache
def _table(distribution: str, device: torch.device) -> torch.Tensor:
    if distribution in ("uniform", "sign", "constant"):
        return torch.zeros(1, dtype=torch.int64, device=device)
    return _on_device(table(distribution), device)
