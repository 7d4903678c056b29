# pyright: basic, reportMissingImports=false
# torch and triton are optional and may be absent where the types are checked.
"""Launching the kernel of a `Change`, and what kernels are handed: tables and settings on the device."""

from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np
import torch
import triton.language as tl

from genewright.noise.binomial import BLOCK, thresholds
from genewright.noise.change import Change
from genewright.noise.cuda.kernel import kernel
from genewright.noise.distributions import FRACTION_BITS
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


def launch(values: torch.Tensor, change: Change, stream: Stream, start: int) -> None:
    """Change a contiguous tensor of one dimension, which has elements, by a change that is not idle."""
    dtype, patterns = DTYPES[values.dtype], values.detach().view(SIGNED[values.element_size()])
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
        on_device(words, device),
        on_device(np.array([unit], np.float64), device),
        on_device(np.array(multiplier(abs(change.scale)), np.uint64), device),
        quantiles_on(distribution, device),
        quantiles_on("exp2", device),
        on_device(flips, device),
        on_device(quantiles, device),
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


def on_device(array: np.ndarray[Any, Any], device: torch.device) -> torch.Tensor:
    """Return an array on the device; unsigned integers as signed ones of the same bits."""
    signed = array if array.dtype.kind == "f" else array.view(array.dtype.str.replace("u", "i"))
    return torch.from_numpy(np.array(signed)).to(device)


@cache
def quantiles_on(distribution: str, device: torch.device) -> torch.Tensor:
    """Return the table of a distribution, or of 2^x, on the device."""
    if distribution in ("uniform", "sign", "constant"):
        return torch.zeros(1, dtype=torch.int64, device=device)
    return on_device(table(distribution), device)
