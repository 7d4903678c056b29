# pyright: basic, reportMissingImports=false
# torch and triton are optional and may be absent where the types are checked.
"""Weighted sums of noise for torch tensors on a CUDA device: `engine.apply` of a `WeightedSum`, in its bits."""

from math import sqrt
from typing import Any

import numpy as np
import torch

from genewright.noise.binomial import BLOCK
from genewright.noise.change import Change
from genewright.noise.cuda.launch import DTYPES, UNSIGNED, launch, on_device, quantiles_on
from genewright.noise.cuda.sum_kernel import sum_kernel
from genewright.noise.distributions import FRACTION_BITS
from genewright.noise.key import Stream
from genewright.noise.weighted_sum import WeightedSum
from genewright.noise.words import Purpose

_KERNEL: Any = sum_kernel


def add_to(values: torch.Tensor, change: WeightedSum, stream: Stream, start: int) -> None:
    """Change a tensor of one dimension: dense noise in one kernel; what has masks or factors is summed before."""
    kind = torch.float64 if values.dtype == torch.float64 else torch.float32
    rounding = stream if change.rounding == "stochastic" else None
    total = None
    if not change.dense:
        total = torch.full(values.shape, -0.0, dtype=kind, device=values.device)
        _ = _add_products(total, change, start) if change.rank is not None else _add_masked(total, change, start)
    if change.decay:
        faded = values.to(kind) * torch.tensor(-change.decay, dtype=kind, device=values.device)
        total = faded + (-0.0 if total is None else total)
    _add(values, change.weighed if change.dense else (), total, rounding, start)


def _add_masked(total: torch.Tensor, change: WeightedSum, start: int) -> None:
    for stream, weight in change.weighed:
        launch(total, Change(combine="add", scale=weight, rate=change.rate), stream, start)


def _add_products(total: torch.Tensor, change: WeightedSum, start: int) -> None:
    rank, (rows, columns) = change.rank or 1, change.matrix
    first, last = start // columns, -(-(start + total.numel()) // columns)
    whole = torch.full((last - first, columns), -0.0, dtype=total.dtype, device=total.device)
    for stream, weight in change.weighed:
        drawn = torch.zeros(rank * (rows + columns), dtype=total.dtype, device=total.device)
        launch(drawn, Change(combine="add"), stream, 0)
        factor = torch.tensor(weight / sqrt(rank), dtype=total.dtype, device=total.device)
        left = drawn[: rank * rows].reshape(rows, rank)[first:last] * factor
        right = drawn[rank * rows :].reshape(columns, rank)
        for column in range(rank):  # product and sum are two kernels, so each is rounded by itself
            whole += left[:, column : column + 1] * right[:, column]
    begin = start - first * columns
    total.copy_(whole.reshape(-1)[begin : begin + total.numel()])


def _add(
    values: torch.Tensor,
    terms: tuple[tuple[Stream, float], ...],
    total: torch.Tensor | None,
    rounding: Stream | None,
    start: int,
) -> None:
    number, dtype, device = values.numel(), DTYPES[values.dtype], values.device
    computing = np.float64 if dtype == "float64" else np.float32
    units = [float(computing(weight * 2.0 ** -FRACTION_BITS["normal"])) for _, weight in terms]
    words = [_words(stream, Purpose.NOISE) for stream, _ in terms] or [[0] * 4]
    first, last = start // BLOCK, -(-(start + number) // BLOCK)
    patterns = values.detach().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[values.element_size()])
    _KERNEL[last - first,](
        patterns,
        number,
        start,
        first,
        on_device(np.array(words, np.uint32).reshape(-1), device),
        on_device(np.array(units or [0.0], np.float64), device),
        len(terms),
        torch.zeros(1, dtype=torch.float32, device=device) if total is None else total,
        on_device(np.array([0] * 4 if rounding is None else _words(rounding, Purpose.ROUND), np.uint32), device),
        quantiles_on("normal", device),
        added=total is not None,
        dtype=dtype,
        randomly=rounding is not None and values.element_size() == 2,
        unsigned=UNSIGNED[values.element_size()],
        enable_fp_fusion=False,
    )


def _words(stream: Stream, purpose: Purpose) -> list[int]:
    return [
        stream.key & 0xFFFFFFFF,
        stream.key >> 32,
        stream.tweak & 0xFFFFFFFF,
        stream.tweak >> 32 | int(purpose) << 24,
    ]
