# pyright: basic, reportMissingImports=false
# torch and triton are optional and may be absent where the types are checked.
"""`apply` for torch tensors on a CUDA device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from genewright.errors import SettingError, UnsupportedError
from genewright.noise.change import Change
from genewright.noise.cuda.launch import DTYPES, SIGNED, launch
from genewright.noise.cuda.sums import add_to
from genewright.noise.engine import mask
from genewright.noise.key import Stream
from genewright.noise.weighted_sum import WeightedSum


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
    change: Change | WeightedSum,
    stream: Stream,
    *,
    start: int = 0,
    size: int | None = None,
    journal: Callable[[DeviceUndo], object] | None = None,
) -> None:
    """Change the elements [start, start + len(values)) of a tensor, in place, on its device.

    Args:
        values: A contiguous tensor of one dimension on a CUDA device (on the CPU under Triton's interpreter).
        change: What happens to each hit element, or a weighted sum of noise.
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
    if not number or change.idle:
        return
    if isinstance(change, WeightedSum):
        add_to(values.detach(), change, stream, start)
    else:
        launch(values, change, stream, start)


def _undo(patterns: torch.Tensor, change: Change | WeightedSum, stream: Stream, start: int) -> DeviceUndo:
    number, item = patterns.numel(), patterns.element_size()
    if change.idle:
        return DeviceUndo(torch.empty(0, dtype=torch.int64, device=patterns.device), patterns[:0].clone())
    if isinstance(change, WeightedSum) or change.rate * (8 + item) >= item:
        return DeviceUndo(None, patterns.clone())
    hit = mask(stream, change.rate, start + number, start=start) - start
    places = torch.from_numpy(hit).to(patterns.device)
    return DeviceUndo(places, patterns[places])
